"""Sending outcomes: collected, sent together, kept until they are acknowledged, and sent again when they were not.

Until acknowledged they stand in the journal, so that nothing finished is lost with the process.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from callboard._flusher import Flusher
from callboard.worker._recovery import Recovery
from callboard.worker._signals import Fenced, Lost
from callboard_broker.broker import WHO_ARE_YOU, server_id
from callboard_broker.errors import BrokerError, BrokerUnreachableError
from callboard_broker.operations import clients
from callboard_broker.operations.calls import BATCH, load_settling
from callboard_broker.packing import pack
from callboard_broker.wire import TRANSIENT, ReplyError, checked, integer, maybe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._settings import Settings
    from callboard_broker.envelope import Signer
    from callboard_broker.journal import Journal
    from callboard_broker.operations.calls import CommitWriter
    from callboard_broker.packing import Command
    from callboard_broker.page import StatusPage
    from callboard_broker.seen import Finished
    from callboard_broker.wire import Reply, Wire

#: Outcomes that are sent together at most.
_TOGETHER: Final = 64
#: Error of a server that cannot write its file: nothing can change there, so nobody else can become the actor, either.
_CANNOT_WRITE: Final = "MISCONF"
#: Seconds before a server that is not ready is asked again.
_AGAIN: Final = 0.05
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


#: An outcome: its caller, what of it has finished, and entry, head and body; or nobody, a packed command, and nothing.
_Collected: TypeAlias = "tuple[Caller | None, bytes, tuple[bytes, bytes, bytes]]"
_NOTHING: Final = (b"", b"", b"")


class Replies:
    """Send one incarnation's outcomes on a connection, and ask on it.

    One thread at a time uses it, but for the flusher, which only sends.

    Args:
        settings: Which incarnation this is.
        wire: The connection to begin with.
        page: Told the server's id of each connection, on which something of this process may still come.
        journal: Keeps outcomes until they are acknowledged.
    """

    def __init__(self, settings: Settings, wire: Wire, page: StatusPage, journal: Journal) -> None:
        self._settings = settings
        self._keys = settings.broker.keys
        self._wire = wire
        self._page = page
        self._journal = journal
        #: Takes the id of an item that nobody waits for.
        self.unwanted: Callable[[bytes], None] | None = None
        self.recovery = Recovery(self._keys.seen(settings.actor))
        self._server = ""
        self._buffer: list[_Collected] = []
        self._journaled = 0
        self._again: list[bytes] = []
        self._owed: deque[bytes] = deque()
        # Between the thread that answers calls and the flusher: whoever sends holds it.
        self._sending = threading.RLock()
        self._flusher = Flusher(self._flush_if_waiting)
        self._introduce()

    @property
    def connection(self) -> Wire:
        """Return the present connection, for polling."""
        return self._wire

    @property
    def unsent(self) -> bool:
        """Tell whether something is collected and not sent."""
        return bool(self._buffer)

    @property
    def owes(self) -> bool:
        """Tell whether answers are outstanding."""
        return bool(self._owed)

    def post(self, caller: Caller, entry: bytes, head: bytes, body: bytes) -> None:
        """Collect the outcome of a call; it is sent by `flush`, or with whatever is sent next."""
        finished = caller.finished.stored()
        with self._sending:
            self._buffer.append((caller, finished, (entry, head, body)))

    def post_command(self, command: Command) -> None:
        """Collect a command, to be sent like an outcome and in its place among them."""
        with self._sending:
            self._buffer.append((None, pack(command), _NOTHING))

    def journal(self) -> None:
        """Make sure that what has finished outlives this process: in the journal, or acknowledged.

        That it has been sent is not enough: a server that cannot answer a dead peer drops what it has not read yet.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        with self._sending:
            secured = True
            for collected in self._buffer[self._journaled :]:
                # Nothing behind what does not fit: settled alone, it would overtake that.
                secured = secured and self._journal.add(_note(collected))
            self._journaled = len(self._buffer)
        if not secured:
            self.finish()

    def secure(self, *, at_once: bool) -> None:
        """Journal what has finished, and have it sent soon.

        Args:
            at_once: Send it now, because what follows may take long.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        if not self._buffer:
            return
        self.journal()
        if at_once or len(self._buffer) >= _TOGETHER:
            self.flush()
        elif self._buffer:
            self._flusher.watch()

    def flush(self) -> None:
        """Send what is collected; wait for answers only when many are owed.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        while True:
            try:
                self._send()
                if len(self._owed) > _OWED:
                    self._read_answers()
                return
            except BrokerUnreachableError:
                # What was owed is sent now: nobody may have a reason to flush for long.
                self._take_over()

    def collect(self) -> None:
        """Take the answers that have come, without waiting.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        try:
            for reply in self._wire.available():
                self._answered(reply)
            self._forget_if_settled()
        except BrokerUnreachableError:
            self._take_over()
            self.flush()

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

    def confirm(self) -> None:
        """Ask whether this still is the present incarnation.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        settings = self._settings
        (token,) = self.ask(("HGET", self._keys.actor(settings.actor), "token"))
        if maybe_text(token) != settings.token:
            raise Fenced("a newer incarnation took over while this one was stopped")

    def close(self) -> None:
        """Close the connection; what is unacknowledged stays so."""
        self._flusher.stop()
        self._wire.close()

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

    def _read_answers(self, least: int = 1) -> None:
        while self._owed:
            self._answered(self._wire.receive(least))
        self._forget_if_settled()

    def _answered(self, reply: Reply) -> None:
        if isinstance(reply, ReplyError):
            self._commit_refused(reply)
        elif isinstance(reply, bytes) and self.unwanted is not None:
            self.unwanted(reply)
        command = self._owed.popleft()
        if self.recovery.begun and isinstance(reply, int):
            self.recovery.answered(command, reply)

    def _forget_if_settled(self) -> None:
        if not self._journal.used:
            return
        with self._sending:
            if not self._owed and not self._buffer:
                self._journal.clear()

    def _commit_refused(self, reply: ReplyError) -> None:
        if str(reply).startswith("FENCED"):
            raise Fenced(str(reply))
        if not str(reply).startswith(("NOSCRIPT", "WRONGTYPE", *TRANSIENT)):
            raise Lost(f"an outcome was refused: {reply}")
        # The server forgot the script, or is not ready, and refused what came after alike; or somebody put something
        # else in the mailbox's place. A new connection loads the script, puts that right and sends all again.
        raise BrokerUnreachableError(f"an outcome must be sent again: {reply}")

    def _take_over(self) -> None:
        """Make a new connection and send again what was not acknowledged."""
        self._wire.close()
        # What the flusher sent meanwhile would be sent again, and its answers be taken for others.
        with self._sending:
            self._connect_anew()
            self._again = [*self._again, *self._owed]
            self._owed.clear()
            self._journaled = 0

    def _connect_anew(self) -> None:
        patience = 2 * self._settings.heartbeat_timeout
        give_up = time.monotonic() + patience
        while True:
            try:
                self._wire = self._settings.broker.connect(
                    f"worker:{self._settings.actor}", patience=max(0.1, give_up - time.monotonic())
                )
                return self._resume()
            except BrokerError as error:
                if str(error).startswith("FENCED"):
                    raise Fenced(str(error)) from error
                if str(error).startswith(_CANNOT_WRITE):
                    give_up = time.monotonic() + patience
                if time.monotonic() > give_up:
                    raise Lost(str(error)) from error
                threading.Event().wait(_AGAIN)

    def _resume(self) -> None:
        """Make a new connection fit for use."""
        self._introduce()

    def _introduce(self) -> None:
        mend = clients.mend(self._keys.of_actor(self._settings.actor))
        replies = self._wire.pipeline([("CLIENT", "ID"), WHO_ARE_YOU, mend, *load_settling()])
        connection, server, *_ = [checked(reply) for reply in replies]
        self._page.connected(integer(connection))
        before, self._server = self._server, server_id(server)
        if before not in {"", self._server}:
            with self._sending:
                unsettled = [*self._again, *self._owed, *_commits(self._buffer)]
            self.recovery.begin(self._wire, unsettled)


def _commits(collected: list[_Collected]) -> list[bytes]:
    """Return the commands for what has been collected: one for each run of outcomes of one caller."""
    if len(collected) == 1:
        caller, finished, outcome = collected[0]
        return [finished if caller is None else caller.writer.alone(finished, outcome)]
    commands: list[bytes] = []
    for caller, run in itertools.groupby(collected, key=_CALLER):
        if caller is None:
            commands += [packed for _, packed, _ in run]
            continue
        outcomes = list(run)
        for start in range(0, len(outcomes), BATCH):
            batch = outcomes[start : start + BATCH]
            # What had finished when the last of them had, and not what has since: that is not settled yet.
            commands.append(caller.writer.command(batch[-1][1], [outcome for _, _, outcome in batch]))
    return commands


def _note(collected: _Collected) -> bytes:
    caller, finished, outcome = collected
    return finished if caller is None else caller.writer.note(finished, outcome)


def _answer(reply: Reply) -> Reply:
    if isinstance(reply, ReplyError) and str(reply).startswith("FENCED"):
        raise Fenced(str(reply))
    if isinstance(reply, ReplyError) and str(reply).startswith(TRANSIENT):
        raise BrokerUnreachableError(f"what was asked must be asked again: {reply}")
    return checked(reply)
