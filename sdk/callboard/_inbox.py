"""The inbox: where outcomes arrive.

The thread that waits for one reads it itself, as a hop between threads costs as much as the trip to Redis.
Of several waiting threads one leads: it reads and resolves for all; the others sleep until it has read something or
stops leading. When only callbacks wait (awaited references, futures, calls with pending arguments), a background thread
takes its place among the waiting.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from callboard._spin import Spin
from callboard.exceptions import RaySystemError
from callboard_broker.envelope import open_outcomes
from callboard_broker.errors import BrokerUnreachableError, ForgedEntryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._consumer import Consumer
    from callboard._outbound import Outbound
    from callboard_broker.envelope import Outcome, Signer

_log = logging.getLogger(__name__)

#: Outcomes, and bytes of them, after which those read are deleted from the server.
_TRIM_COUNT: Final = 256
_TRIM_BYTES: Final = 1 << 20


class Inbox:
    """Read one client's inbox.

    Args:
        key: The stream.
        consumer: Reads it.
        outbound: Whose replies are handed over while waiting; also carries away the deletion of what was read.
        signer: Verifies outcomes for this client.
        deliver: Takes each verified outcome.
    """

    def __init__(
        self,
        key: bytes,
        consumer: Consumer,
        outbound: Outbound,
        signer: Signer,
        deliver: Callable[[Outcome], None],
    ) -> None:
        self._key = key
        self._consumer = consumer
        self._outbound = outbound
        self._signer = signer
        self._deliver = deliver
        self._leading = threading.Lock()
        self._changed = threading.Condition()
        self._followers = 0
        self._spin = Spin()
        #: Outcomes that were read since the last time that the inbox was trimmed, and bytes of them.
        self._untrimmed, self._untrimmed_bytes = 0, 0
        #: Outcomes that were verified and not delivered yet.
        self._opened: deque[Outcome] = deque()
        self._bell, self._bell_rope = os.pipe()
        self._listening = False
        self.closed = False
        #: Why those who wait without a bound would do so for ever; None as long as there is hope. It is looked for some
        #: before anybody is told so.
        self.abandoned: str | None = None
        self.hope: Callable[[], bool] = lambda: False

    def wait(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Wait until ``ready()`` holds, reading the inbox where nobody else does.

        Args:
            ready: Cheap, without side effects.
            deadline: On the monotonic clock; None for no bound.

        Returns:
            Whether it holds.

        Raises:
            BrokerUnreachableError: The connection broke and none could be made for as long as `connect` tries.
            RaySystemError: There is no bound, and nobody lives who could bring about what is waited for.
        """
        while not ready():
            remaining = 3600.0 if deadline is None else deadline - time.monotonic()
            if remaining <= 0:
                self.catch_up()
                return ready()
            if self.closed:
                raise BrokerUnreachableError("this client has been shut down")
            if self._leading.acquire(blocking=False):
                try:
                    if not ready():
                        self._read(ready, remaining)
                finally:
                    self._leading.release()
                    self._pass_on()
            else:
                self._follow(remaining)
            told = self.abandoned
            if told is not None and deadline is None and not ready() and not self.hope():
                raise RaySystemError(told)
        return True

    def wake(self) -> None:
        """Let waiting threads look again."""
        if self._listening:
            os.write(self._bell_rope, b"!")
        self._pass_on()

    def _pass_on(self) -> None:
        if self._followers:
            with self._changed:
                self._changed.notify_all()

    def close(self) -> None:
        """Stop waiting threads and close the connection."""
        self.closed = True
        self._consumer.interrupt()
        self.wake()
        with self._leading:
            self._consumer.close()
            os.close(self._bell)
            os.close(self._bell_rope)

    def _follow(self, remaining: float) -> None:
        with self._changed:
            self._followers += 1
            try:
                # The leader releases first and looks for followers then: either it sees us, or we see it gone.
                if self._leading.locked():
                    self._changed.wait(min(remaining, 1.0))
            finally:
                self._followers -= 1

    def catch_up(self) -> None:
        """Read some of what has come, unless somebody else does that just now; to be repeated for more."""
        if self._leading.acquire(blocking=False):
            try:
                self._read(lambda: True, 0.0)
            finally:
                self._leading.release()
                self._pass_on()

    def _read(self, ready: Callable[[], bool], remaining: float) -> None:
        self._outbound.push()
        consumer = self._consumer
        if consumer.arrived or self._opened:
            # Whoever read it was interrupted.
            self._hand_out()
            return
        try:
            consumer.ask()
            spins = remaining > 0 and not self._followers
            # Only after some milliseconds the other connection is looked at, because being woken by its acknowledgement
            # first would cost as much as the whole wait.
            if not (spins and self._spin.until(consumer.wire.readable)) and not consumer.comes_soon(remaining):
                # A read may have been under way for long without anybody waiting.
                consumer.wire.expect()
                self._outbound.collect()
                if not self._patiently(ready, remaining):
                    consumer.wire.check_silence()
                    return
            consumer.take()
        except BrokerUnreachableError:
            # Whoever waits looks once more at what he waits for: leaving has given it an outcome.
            if not self.closed:
                consumer.reconnect()
                # A server that cannot write is not read, either, and says there what it refuses.
                self._outbound.collect()
            return
        self._hand_out()

    def _patiently(self, ready: Callable[[], bool], remaining: float) -> bool:
        """Wait on both connections and for the bell; tell whether the inbox has something."""
        if remaining <= 0:
            return self._consumer.wire.readable()
        poll = select.poll()
        poll.register(self._consumer.wire, select.POLLIN)
        if not self._outbound.quiet:
            poll.register(self._outbound, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        self._listening = True
        try:
            # Whoever resolves something rings if we listen; so either it rang, or what it resolved is seen here.
            if ready():
                return False
            # A second at most, so that a connection that was replaced meanwhile is not waited on for long.
            heard = {fd for fd, _ in poll.poll(min(remaining, 1.0) * 1000)}
        finally:
            self._listening = False
        if self._bell in heard:
            os.read(self._bell, 4096)
        return self._consumer.wire.fileno() in heard

    def _hand_out(self) -> None:
        arrived, opened = self._consumer.arrived, self._opened
        while arrived or opened:
            if not opened:
                entry = arrived[0]
                try:
                    opened += open_outcomes(self._signer, entry)
                except ForgedEntryError as error:
                    _log.warning("something in the inbox was refused: %s", error)
                arrived.popleft()
                self._untrimmed += len(entry) // 2
                self._untrimmed_bytes += sum(map(len, entry))
            while opened:
                try:
                    self._deliver(opened[0])
                except Exception:
                    # It would fail again.
                    opened.popleft()
                    raise
                opened.popleft()
        if self._untrimmed >= _TRIM_COUNT or self._untrimmed_bytes >= _TRIM_BYTES:
            self._untrimmed = self._untrimmed_bytes = 0
            milliseconds, _, number = self._consumer.last.partition(b"-")
            beyond = b"%s-%d" % (milliseconds, int(number) + 1)
            self._outbound.post(("XTRIM", self._key, "MINID", beyond))
