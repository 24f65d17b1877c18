"""The way out: one connection on which a client sends everything that changes something, in order.

Calls, lends and releases share it, so the server executes them in the order in which they were made; that order is what
the handle protocol and the order of calls rest on. Nothing waits for its reply: replies are collected in passing.
After a broken connection everything that was not acknowledged is sent again, in order; each command tolerates that
(calls by the actor's ledger, scripts by being idempotent).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from callboard._flusher import Flusher
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.packing import pack
from callboard_broker.wire import Reply, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard_broker.packing import Argument, Command
    from callboard_broker.wire import Wire

#: A packed command, and what takes its reply.
Unacknowledged: TypeAlias = "tuple[bytes, Callable[[Reply], None]]"

_log = logging.getLogger(__name__)

#: Seconds for which a broken connection is tried again before what waits on it fails.
PATIENCE: Final = 30.0
#: Unread replies from which the sender looks for them itself.
_LOOK: Final = 128
#: Nanoseconds after a command, or after having sent it, within which the next is part of a burst.
_BURST_NS: Final = 100_000
#: Commands of a burst that are sent together: fewer at first, so that work on them begins early.
_AT_FIRST: Final = 32
_TOGETHER: Final = 128
#: Commands that may be unacknowledged; the sender waits then. Bounds what is sent again after a broken connection.
WINDOW: Final = 10_000


def ignore(reply: Reply) -> None:
    """Pass over a reply that changes nothing for us."""


class Outbound:
    """Send commands in order and hand their replies to whoever sent them.

    Args:
        connect: Opens a connection; called again after one broke.
        recall: Takes a connection that replaces one that broke, and returns what had been acknowledged and is
            nevertheless to be sent again, before everything else.
        leaving: Set when nobody is to wait any more for a server that is gone.

    ``lock`` is held while sending; whoever must number what it sends holds it, too, and uses `post_locked`.
    """

    __slots__ = (
        "_connect",
        "_flusher",
        "_held",
        "_leaving",
        "_posted_at",
        "_recall",
        "_together",
        "_unacknowledged",
        "_wire",
        "aftermath",
        "closed",
        "lock",
    )

    def __init__(
        self,
        connect: Callable[[], Wire],
        recall: Callable[[Wire], Sequence[Unacknowledged]],
        leaving: threading.Event,
    ) -> None:
        self._connect = connect
        self._leaving = leaving
        self._recall = recall
        self._wire = connect()
        self._unacknowledged: deque[Unacknowledged] = deque()
        self.lock = threading.RLock()
        #: What replies gave reason to do, but not while the lock is held: look-ups, resolving results.
        self.aftermath: deque[Callable[[], None]] = deque()
        self._held: list[bytes] = []
        self._posted_at = 0
        self._together = _AT_FIRST
        self._flusher = Flusher(self._flush_held)
        self.closed = False

    def post(self, command: Command, acknowledged: Callable[[Reply], None] = ignore) -> None:
        """Send a command; ``acknowledged`` gets its reply later, in some thread, and must not raise or block."""
        packed = pack(command)
        with self.lock:
            self.post_locked(packed, acknowledged)
        if self.aftermath:
            self.clean_up()

    def post_locked(self, packed: bytes, acknowledged: Callable[[Reply], None]) -> None:
        """Send a packed command; the caller holds the lock.

        Raises:
            BrokerUnreachableError: The connection broke and none could be made for as long as `connect` tries.
        """
        waiting = self._unacknowledged
        waiting.append((packed, acknowledged))
        held, now = self._held, time.monotonic_ns()
        held.append(packed)
        # What is held back is a burst, however long others have run since.
        lone = len(held) == 1 and now - self._posted_at > _BURST_NS
        if lone or len(held) >= self._together:
            self._together = _AT_FIRST if lone else _TOGETHER
            self._send_held()
            # Whom that has woken may have run first: the burst goes on from here.
            now = time.monotonic_ns()
        else:
            self._flusher.watch()
        self._posted_at = now
        if len(waiting) % _LOOK == 0:
            self._collect()
            while len(waiting) >= WINDOW:
                self._await_one()

    def push(self) -> None:
        """Send what is held back to be sent together with more: somebody is about to wait, which ends a burst."""
        self._posted_at = 0
        if self._held:
            with self.lock:
                self._send_held()

    def collect(self) -> None:
        """Hand over the replies that have come, without waiting."""
        with self.lock:
            self._collect()
        if self.aftermath:
            self.clean_up()

    def clean_up(self) -> None:
        """Do what replies gave reason to do; to be called without the lock after `post_locked`."""
        while self.aftermath:
            try:
                self.aftermath.popleft()()
            except IndexError:
                return

    def flush(self) -> None:
        """Wait until everything sent has been acknowledged.

        Raises:
            BrokerUnreachableError: The connection broke and none could be made for as long as `connect` tries.
        """
        with self.lock:
            self._send_held()
            while self._unacknowledged:
                self._await_one()
        if self.aftermath:
            self.clean_up()

    def ask(self, *command: Argument) -> Reply:
        """Send a command behind everything that was sent before, and wait for its reply.

        Raises:
            BrokerRefusedError: The server answered with an error.
            BrokerUnreachableError: As `flush` does.
        """
        replies: list[Reply] = []
        self.post(command, replies.append)
        self.flush()
        return checked(replies[0])

    def fileno(self) -> int:
        """Return the descriptor of the present connection, for polling."""
        return self._wire.fileno()

    @property
    def quiet(self) -> bool:
        """Tell whether no reply is outstanding."""
        return not self._unacknowledged

    def close(self) -> None:
        """Close the connection; what is unacknowledged stays so."""
        self._flusher.stop()
        with self.lock:
            self.closed = True
            self._wire.close()

    def _flush_held(self) -> bool:
        if not self._held:
            return False
        with contextlib.suppress(BrokerUnreachableError), self.lock:
            self._send_held()
        return True

    def _send_held(self) -> None:
        held, self._held = self._held, []
        if held:
            try:
                self._wire.send_packed(held[0] if len(held) == 1 else b"".join(held))
            except BrokerUnreachableError:
                self._send_again()

    def _collect(self) -> None:
        try:
            if self._unacknowledged:
                for reply in self._wire.available():
                    self._hand_over(reply)
                if self._unacknowledged:
                    self._wire.check_silence()
            elif self._wire.readable():
                # Nothing is owed, so it is the end. What a restarted server has forgotten must not wait for a post.
                raise BrokerUnreachableError("the connection to Redis broke: closed by the server")
        except BrokerUnreachableError:
            self._send_again()

    def _await_one(self) -> None:
        try:
            self._send_held()
            self._hand_over(self._wire.receive())
        except BrokerUnreachableError:
            self._send_again()

    def _hand_over(self, reply: Reply) -> None:
        _, acknowledged = self._unacknowledged.popleft()
        try:
            acknowledged(reply)
        except Exception:  # noqa: BLE001 - the next reply must not suffer from this one
            _log.exception("a reply of the broker could not be handled")

    def _send_again(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return self._begin_anew()
            except BrokerUnreachableError:
                # What is to be sent stays so: whoever posted it must not be told otherwise because it broke twice.
                if self._leaving.is_set() or time.monotonic() > give_up:
                    raise

    def _begin_anew(self) -> None:
        if self.closed:
            raise BrokerUnreachableError("this client has been shut down")
        self._wire.close()
        self._wire = self._connect()
        self._held = []
        try:
            self._unacknowledged.extendleft(reversed(self._recall(self._wire)))
            for packed, _ in self._unacknowledged:
                self._wire.send_packed(packed)
        except BaseException:
            # Whoever comes next begins again: on this one replies would be taken for those of others.
            self._wire.close()
            raise
