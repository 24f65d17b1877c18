"""What this supervisor is asked to do: requests and outbox, which are anybody's, and commands to this node."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from callboard_broker.errors import BrokerRefusedError
from callboard_supervisor.streams import BLOCK_MS, StreamReader

if TYPE_CHECKING:
    from callboard_broker.packing import Command
    from callboard_broker.wire import Wire
    from callboard_supervisor.caretaker import Caretaker
    from callboard_supervisor.duties.clients import ClientWatch
    from callboard_supervisor.house import House
    from callboard_supervisor.output import Output

_log = logging.getLogger(__name__)

_GROUP: Final = "supervisors"


class Asked:
    """Read and do what is asked.

    Args:
        house: What the duties share.
        caretaker: Sees to actors.
        clients: Watches clients.
        output: Shows what processes write.
    """

    def __init__(self, house: House, caretaker: Caretaker, clients: ClientWatch, output: Output) -> None:
        self._house = house
        self._caretaker = caretaker
        self._clients = clients
        self._output = output
        self._signer = house.link.broker.signer("command", house.node)
        self._shared = StreamReader(house, "requests", self._read_shared, self._take_shared, self._make_groups)
        self._own = StreamReader(house, "commands", self._read_own, self._take_own, lambda _: None)

    def start(self) -> None:
        """Begin to read."""
        self._shared.start()
        self._own.start()

    def check(self) -> None:
        """Connect anew where the server has fallen silent."""
        self._shared.check()
        self._own.check()

    def stop(self) -> None:
        """Stop reading; harmless when repeated or never started."""
        self._shared.stop()
        self._own.stop()

    def do(self, stream: bytes, entry: bytes, told: dict[str, str]) -> None:
        """Do what an entry of a shared stream asks for, then delete it. Doing it twice changes nothing."""
        if stream == self._house.keys.outbox:
            self._caretaker.burial.release_token(told["token"], told["targets"].split())
        elif told["op"] == "place":
            self._caretaker.starting.place(told["actor"])
        elif told["op"] == "look":
            self._caretaker.look(told["actor"])
        elif told["op"] == "serve":
            self._caretaker.pools.serve()
        elif told["op"] == "bury":
            self._clients.left(told["client"])
        else:
            _log.error("nobody knows how to do %r", told)
        self._house.link.call("XDEL", stream, entry)

    def _make_groups(self, wire: Wire) -> None:
        for stream in (self._house.keys.requests, self._house.keys.outbox):
            try:
                wire.call("XGROUP", "CREATE", stream, _GROUP, "0", "MKSTREAM")
            except BrokerRefusedError as refusal:
                if not str(refusal).startswith("BUSYGROUP"):
                    raise

    def _read_shared(self, _last: bytes) -> Command:
        keys = self._house.keys
        return (
            "XREADGROUP", "GROUP", _GROUP, self._house.node, "COUNT", 8, "BLOCK", BLOCK_MS, "NOACK", "STREAMS",
            keys.requests, keys.outbox, ">", ">",
        )  # fmt: skip

    def _take_shared(self, stream: bytes, entry: bytes, told: dict[str, str]) -> None:
        self.do(stream, entry, told)

    def _read_own(self, last: bytes) -> Command:
        return ("XREAD", "COUNT", 100, "BLOCK", BLOCK_MS, "STREAMS", self._house.keys.commands(self._house.node), last)

    def _take_own(self, stream: bytes, entry: bytes, told: dict[str, str]) -> None:
        self._house.link.call("XDEL", stream, entry)
        op, subject = told.get("op", ""), told.get("subject", "")
        if not self._signer.verify([op.encode(), subject.encode()], b"", told.get("mac", "").encode()):
            _log.warning("a command that is not signed with our key was refused: %s %s", op, subject)
        elif op in {"kill", "look"}:
            self._caretaker.look(subject)
        elif op == "place":
            self._caretaker.starting.place(subject)
        elif op == "restart":
            self._caretaker.kill_incarnation(subject)
        elif op == "serve":
            self._caretaker.pools.serve()
        elif op == "end":
            self._caretaker.pools.end(subject)
        elif op == "watch":
            self._clients.watch(subject)
        elif op == "output":
            self._output.publish_all(subject)
        else:
            _log.error("nobody knows how to do the command %r", op)
