"""The worker's side of the mailbox: reading calls in order, sending outcomes, surviving broken connections.

One connection serves both. An outcome is sent before the next call starts, and its answer is read later; the last outcome
of a batch travels in one packet with the next read. What has not been acknowledged is kept, and is sent again on a new
connection or after the server forgot the script.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from callboard.worker._signals import Fenced, Lost
from callboard_broker.errors import BrokerError, BrokerUnreachableError
from callboard_broker.operations import actors
from callboard_broker.scripts import script
from callboard_broker.wire import ReplyError, checked, integer, items, maybe_text, pack, stream_entries, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._settings import Settings
    from callboard_broker.wire import Command, Reply, Wire

#: Calls taken in one read. Bounds what counts as started when the worker is lost with its node.
_COUNT: Final = 200
_BLOCK_MS: Final = 10_000
#: Bytes of outcomes that are sent without waiting for the answer: they must fit into the kernel's buffer, where they
#: survive this process.
_UNANSWERED: Final = 8192
#: Outcomes that are sent without waiting for the answer.
_OWED: Final = 128


class Mailbox:
    """Read one actor's calls and send their outcomes.

    Args:
        settings: Which incarnation this is.
        wire: The connection to begin with.
        connected: Told the server's id of each connection.
    """

    def __init__(self, settings: Settings, wire: Wire, connected: Callable[[int], None]) -> None:
        self._settings = settings
        self._keys = settings.broker.keys
        self._wire = wire
        self._connected = connected
        self._group = settings.token
        self._groups = 0
        self._sealed = ""
        self._stream = self._keys.mailbox(settings.actor)
        self._last = b"0-0"
        self._buffer: list[Command] = []
        self._owed: deque[Command] = deque()
        self._owed_bytes = 0

    @property
    def sealed(self) -> str:
        """Return why the mailbox is sealed, as far as this worker knows; empty while it is open."""
        return self._sealed

    def seal_seen(self, reason: str) -> None:
        """Read the sealed mailbox from now on."""
        if reason:
            self._sealed = reason
            self._stream = self._keys.sealed(self._settings.actor)

    def read(self) -> list[tuple[bytes, list[Reply] | None]]:
        """Wait for calls, some seconds at most; send what is buffered in the same packet.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        try:
            self._send(self._read_command())
            self._settle_owed()
            reply = self._wire.receive()
        except BrokerUnreachableError:
            self._take_over()
            return []
        if isinstance(reply, ReplyError):
            self._refused(str(reply))
            return []
        found = stream_entries(reply)
        if found:
            self._last = found[-1][0]
        return found

    def post(self, commit: Command) -> None:
        """Buffer an outcome; it is sent by `flush`, or with the next read."""
        self._buffer.append(commit)

    def flush(self) -> None:
        """Send what is buffered; wait for the answer only when much is owed.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        if not self._buffer:
            return
        try:
            self._send()
            if len(self._owed) > _OWED or self._owed_bytes > _UNANSWERED:
                self._settle_owed()
        except BrokerUnreachableError:
            self._take_over()

    def finish(self) -> None:
        """Send what is buffered and wait until everything sent is acknowledged.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        while self._buffer or self._owed:
            try:
                self._send()
                self._settle_owed()
            except BrokerUnreachableError:
                self._take_over()

    def ask(self, *command: Command) -> list[Reply]:
        """Send questions, after everything before them is acknowledged, and return the answers.

        Raises:
            BrokerError: An answer is an error.
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        while True:
            self.finish()
            try:
                return [_answer(reply) for reply in self._wire.pipeline(command)]
            except BrokerUnreachableError:
                self._take_over()

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _read_command(self) -> Command:
        return (
            "XREADGROUP", "GROUP", self._group, "worker", "COUNT", _COUNT, "BLOCK", _BLOCK_MS, "NOACK", "STREAMS",
            self._stream, ">",
        )  # fmt: skip

    def _send(self, *more: Command) -> None:
        buffer, self._buffer = self._buffer, []
        self._owed += buffer
        if buffer or more:
            packed = pack(*buffer, *more)
            if buffer:
                self._owed_bytes += len(packed)
            self._wire.send_packed(packed)

    def _settle_owed(self) -> None:
        while self._owed:
            reply = self._wire.receive()
            if isinstance(reply, ReplyError):
                self._commit_refused(reply)
            else:
                self._owed.popleft()
        self._owed_bytes = 0

    def _commit_refused(self, reply: ReplyError) -> None:
        if str(reply).startswith("FENCED"):
            raise Fenced(str(reply))
        if not str(reply).startswith("NOSCRIPT"):
            raise Lost(f"an outcome was refused: {reply}")
        # The server forgot the script. All that is owed was refused alike: the answers are taken off the wire on the new
        # connection's account, where everything is sent again with the script's text.
        raise BrokerUnreachableError("the server's script cache was flushed")

    def _refused(self, error: str) -> None:
        if error.startswith(("NOGROUP", "UNBLOCKED", "ERR no such key", "WRONGTYPE")):
            self._look_at_record(error)
        elif error.startswith(("LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "BUSY", "TRYAGAIN")):
            self._take_over()
        else:
            raise Lost(f"the mailbox cannot be read: {error}")

    def _look_at_record(self, error: str) -> None:
        token, sealed = items(self.ask(("HMGET", self._keys.actor(self._settings.actor), "token", "sealed"))[0])
        if maybe_text(token) != self._settings.token:
            raise Fenced(error)
        reason = maybe_text(sealed) or ""
        if reason == self._sealed:
            # Same incarnation, same stream, and yet no group: somebody destroyed it.
            self._take_over()
        self.seal_seen(reason)

    def _take_over(self) -> None:
        """Make a new connection with a group of its own and send again what was not acknowledged."""
        settings = self._settings
        give_up = time.monotonic() + 2 * settings.heartbeat_timeout
        self._wire.close()
        while True:
            try:
                self._wire = settings.broker.connect(
                    f"worker:{settings.actor}", patience=max(0.1, give_up - time.monotonic())
                )
                self._groups += 1
                group = f"{settings.token}.{self._groups}"
                reply = self._wire.call(*actors.takeover(self._keys, settings.actor, settings.token, group, self._last))
                self._connected(integer(self._wire.call("CLIENT", "ID")))
                break
            except BrokerUnreachableError as error:
                if time.monotonic() > give_up:
                    raise Lost(str(error)) from error
            except BrokerError as error:
                if str(error).startswith("FENCED"):
                    raise Fenced(str(error)) from error
                if time.monotonic() > give_up:
                    raise Lost(str(error)) from error
        self._group = group
        self.seal_seen(text(reply))
        owed, self._owed = self._owed, deque()
        self._owed_bytes = 0
        self._buffer = [_whole(command) for command in owed] + self._buffer


def _whole(command: Command) -> Command:
    if command[0] == "EVALSHA":
        return ("EVAL", script("commit").text, *command[2:])
    return command


def _answer(reply: Reply) -> Reply:
    if isinstance(reply, ReplyError) and str(reply).startswith("FENCED"):
        raise Fenced(str(reply))
    return checked(reply)
