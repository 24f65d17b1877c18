"""The worker's side of the mailbox: reading calls in order, sending outcomes, surviving broken connections.

One connection serves both. Outcomes are collected and sent together; until acknowledged they stand in the journal, so
that nothing finished is lost with the process. The last outcome of a batch travels in one packet with the next read.
What has not been acknowledged is kept, and is sent again on a new connection or after the server forgot the script.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from callboard._flusher import Flusher
from callboard.worker._signals import Fenced, Lost
from callboard_broker.errors import BrokerError, BrokerUnreachableError
from callboard_broker.operations import actors
from callboard_broker.scripts import script
from callboard_broker.wire import ReplyError, checked, integer, items, maybe_text, pack, stream_entries, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._settings import Settings
    from callboard_broker.envelope import Signer
    from callboard_broker.journal import Journal
    from callboard_broker.operations.calls import CommitWriter
    from callboard_broker.page import StatusPage
    from callboard_broker.seen import Finished
    from callboard_broker.wire import Command, Reply, Wire

#: Calls taken in one read. Bounds what counts as started when the worker is lost with its node.
_COUNT: Final = 200
_BLOCK_MS: Final = 10_000
#: Outcomes that are sent together at most.
_TOGETHER: Final = 32
#: Errors of a server that will be ready soon, or that another will replace.
_TRANSIENT: Final = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "BUSY", "TRYAGAIN")
_CALLER: Final = operator.itemgetter(0)
#: Outcomes that may be unanswered before their answers are read.
_OWED: Final = 1_000


class Caller:
    """What it takes to answer one caller."""

    __slots__ = ("finished", "signer", "writer")

    def __init__(self, signer: Signer, writer: CommitWriter, finished: Finished) -> None:
        self.signer = signer
        self.writer = writer
        self.finished = finished


class Mailbox:
    """Read one actor's calls and send their outcomes.

    Args:
        settings: Which incarnation this is.
        wire: The connection to begin with.
        page: Told the server's id of each connection.
        journal: Keeps outcomes until they are acknowledged.
        before_waiting: Called before each wait for calls; may raise a way out.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        page: StatusPage,
        journal: Journal,
        before_waiting: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._keys = settings.broker.keys
        self._wire = wire
        self._page = page
        self._journal = journal
        self._before_waiting = before_waiting
        #: Whether the reading thread waits for calls, having nothing half-done: it may be interrupted.
        self.waiting = False
        self._group = settings.token
        self._groups = 0
        self._sealed = ""
        self._stream = self._keys.mailbox(settings.actor)
        self._last = b"0-0"
        self._read_packed = self._pack_read()
        self._buffer: list[tuple[Caller, bytes]] = []
        self._journaled = 0
        self._again: list[bytes] = []
        self._owed: deque[bytes] = deque()
        # Between the thread that runs calls and the flusher: whoever sends holds it.
        self._sending = threading.Lock()
        self._flusher = Flusher(self._flush_if_waiting)

    @property
    def sealed(self) -> str:
        """Return why the mailbox is sealed, as far as this worker knows; empty while it is open."""
        return self._sealed

    def seal_seen(self, reason: str) -> None:
        """Read the sealed mailbox from now on."""
        if reason:
            self._sealed = reason
            self._stream = self._keys.sealed(self._settings.actor)
            self._read_packed = self._pack_read()

    def read(self) -> list[tuple[bytes, list[Reply] | None]]:
        """Wait for calls, some seconds at most; send what is collected in the same packet.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        try:
            self._send(self._read_packed)
            self._read_answers()
            self.waiting = True
            self._before_waiting()
            reply = self._wire.receive()
        except BrokerUnreachableError:
            self.waiting = False
            self._take_over()
            return []
        self.waiting = False
        if isinstance(reply, ReplyError):
            self._refused(str(reply))
            return []
        found = stream_entries(reply)
        if found:
            self._last = found[-1][0]
        return found

    def post(self, caller: Caller, item: bytes) -> None:
        """Collect an outcome; it is sent by `flush`, with the next read, or when it has waited long enough."""
        with self._sending:
            self._buffer.append((caller, item))

    def secure(self, *, at_once: bool) -> None:
        """Make sure that what has finished outlives this process: in the journal, or acknowledged.

        That it has been sent is not enough: a server that cannot answer a dead peer drops what it has not read yet.

        Args:
            at_once: Send it now, because what follows may take long.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        if not self._buffer:
            return
        with self._sending:
            unsecured = self._buffer[self._journaled :]
            secured = all(self._journal.add(_alone(caller, item)) for caller, item in unsecured)
            self._journaled = len(self._buffer)
        if not secured:
            self.finish()
        elif at_once or len(self._buffer) >= _TOGETHER:
            self.flush()
        else:
            self._flusher.watch()

    def flush(self) -> None:
        """Send what is collected; wait for answers only when many are owed.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        try:
            self._send()
            if len(self._owed) > _OWED:
                self._read_answers()
        except BrokerUnreachableError:
            self._take_over()

    def finish(self) -> None:
        """Send what is collected and wait until everything sent is acknowledged.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        while self._buffer or self._again or self._owed:
            try:
                self._send()
                self._read_answers()
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

    def _pack_read(self) -> bytes:
        return pack(
            (
                "XREADGROUP", "GROUP", self._group, "worker", "COUNT", _COUNT, "BLOCK", _BLOCK_MS, "NOACK", "STREAMS",
                self._stream, ">",
            )
        )  # fmt: skip

    def _send(self, more: bytes = b"") -> None:
        with self._sending:
            if not self._buffer and not self._again and not more:
                return
            commands = [*self._again, *_commits(self._buffer)]
            self._buffer, self._again = [], []
            self._owed += commands
            self._journaled = 0
            self._wire.send_packed(b"".join([*commands, more]))

    def _flush_if_waiting(self) -> bool:
        # In the flusher's thread. A broken connection is mended by the thread that reads: what was owed stays owed.
        if not self._buffer:
            return False
        with contextlib.suppress(BrokerUnreachableError):
            self._send()
        return True

    def _read_answers(self) -> None:
        while self._owed:
            reply = self._wire.receive()
            if isinstance(reply, ReplyError):
                self._commit_refused(reply)
            self._owed.popleft()
        with self._sending:
            if not self._owed and not self._buffer:
                self._journal.clear()

    def _commit_refused(self, reply: ReplyError) -> None:
        if str(reply).startswith("FENCED"):
            raise Fenced(str(reply))
        if not str(reply).startswith(("NOSCRIPT", *_TRANSIENT)):
            raise Lost(f"an outcome was refused: {reply}")
        # The server forgot the script, or is not ready, and refused what came after alike. A new connection loads the
        # script and sends all again.
        raise BrokerUnreachableError(f"an outcome must be sent again: {reply}")

    def _refused(self, error: str) -> None:
        if error.startswith(("NOGROUP", "UNBLOCKED", "ERR no such key", "WRONGTYPE")):
            self._look_at_record(error)
        elif error.startswith(_TRANSIENT):
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
        give_up = time.monotonic() + 2 * self._settings.heartbeat_timeout
        self._wire.close()
        while True:
            try:
                self._wire = self._settings.broker.connect(
                    f"worker:{self._settings.actor}", patience=max(0.1, give_up - time.monotonic())
                )
                sealed = self._new_group()
                break
            except BrokerError as error:
                if str(error).startswith("FENCED"):
                    raise Fenced(str(error)) from error
                if time.monotonic() > give_up:
                    raise Lost(str(error)) from error
        self.seal_seen(sealed)
        self._read_packed = self._pack_read()
        with self._sending:
            self._again = [*self._again, *self._owed]
            self._owed.clear()
            self._journaled = 0

    def _new_group(self) -> str:
        settings = self._settings
        self._groups += 1
        group = f"{settings.token}.{self._groups}"
        sealed = self._wire.call(*actors.takeover(self._keys, settings.actor, settings.token, group, self._last))
        self._page.connected(integer(self._wire.call("CLIENT", "ID")))
        self._wire.call(*script("commit").load())
        self._group = group
        return text(sealed)


def _commits(collected: list[tuple[Caller, bytes]]) -> list[bytes]:
    """Return the commands that settle what has been collected: one for each run of outcomes of one caller."""
    return [
        caller.writer.command(caller.finished.stored(), [item for _, item in run])
        for caller, run in itertools.groupby(collected, key=_CALLER)
    ]


def _alone(caller: Caller, item: bytes) -> bytes:
    return caller.writer.command(caller.finished.stored(), [item])


def _answer(reply: Reply) -> Reply:
    if isinstance(reply, ReplyError) and str(reply).startswith("FENCED"):
        raise Fenced(str(reply))
    return checked(reply)
