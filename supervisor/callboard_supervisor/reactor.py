"""The supervisor's loop: one thread that waits for file descriptors, signals and times.

Callbacks must not block: while one works, all others wait. One that fails is logged and stops nobody else.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

Callback = Callable[[], object]

#: Seconds for which a descriptor is not looked at after its callback failed. It is most likely still readable:
#: without a rest, one broken callback would take the whole processor and fill the log.
REST_AFTER_FAILURE = 0.1

logger = logging.getLogger(__name__)


class Timer:
    """A callback that is due at a time. Made by the reactor."""

    __slots__ = ("callback", "cancelled", "due", "interval")

    def __init__(self, due: float, callback: Callback, interval: float | None = None) -> None:
        self.due = due
        self.callback = callback
        self.interval = interval
        self.cancelled = False

    def cancel(self) -> None:
        """Guarantee that the callback is not called again; more than once is allowed."""
        self.cancelled = True


class Reactor:
    """Wait for descriptors, signals and timers, and call back, all in the thread that calls `run`.

    Args:
        clock: Monotonic seconds; tests hand in their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._poll = select.poll()
        self._watched: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._stopped = False
        self._on_signal: dict[int, Callback] = {}
        self._signals: set[int] = set()
        self._before: dict[int, Any] = {}
        self._wakeup_before: int | None = None
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll.register(self._wake_reader, select.POLLIN)

    def watch(self, fd: int, callback: Callback) -> None:
        """Call back whenever a descriptor is readable or its other end is gone. A later callback replaces it."""
        self._watched[fd] = callback
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Call back no more; do it before closing the descriptor. One that is not watched is no error."""
        if self._watched.pop(fd, None) is not None:
            self._silence(fd)

    def after(self, seconds: float, callback: Callback) -> Timer:
        """Call back once, not earlier than in so many seconds."""
        return self._push(Timer(self._clock() + seconds, callback))

    def every(self, seconds: float, callback: Callback) -> Timer:
        """Call back again and again, for the first time in so many seconds.

        Guarantees no burst: what a busy or stopped process missed is not made up for.
        """
        return self._push(Timer(self._clock() + seconds, callback, seconds))

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back in the loop, not in the handler, when a signal has come; several of one kind may become one call.

        Only in the main thread of the process (Python's rule); `close` restores what was before.

        Raises:
            ValueError: This is another thread.
        """
        if self._wakeup_before is None:
            self._wakeup_before = signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        before = signal.signal(number, self._note_signal)
        self._before.setdefault(number, before)
        self._on_signal[number] = callback

    def run(self) -> None:
        """Serve until `stop`. A stop that came before is kept: it returns at once."""
        while not self._stopped:
            self.turn()

    def stop(self) -> None:
        """Let `run` return after the callbacks that are ready now; usable from any thread and from callbacks."""
        self._stopped = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writer, b"\0")

    def turn(self, limit: float | None = None) -> None:
        """Wait once, for at most so many seconds, and call back whatever is ready or due."""
        for fd, event in self._poll.poll(self._patience(limit)):
            if fd == self._wake_reader:
                self._wake()
            elif event & select.POLLNVAL:
                logger.error("descriptor %d was closed while it was watched", fd)
                self.unwatch(fd)
            elif (callback := self._watched.get(fd)) is not None and not _survives(callback):
                self._rest(fd, callback)
        self._call_signals()
        self._call_timers()

    def close(self) -> None:
        """Give signals and descriptors of its own back. More than once is allowed; watched descriptors stay open."""
        if self._wake_reader < 0:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._wakeup_before is not None:
            signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        self._wake_reader = self._wake_writer = -1

    def _push(self, timer: Timer) -> Timer:
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def _patience(self, limit: float | None) -> float | None:
        """Return how many milliseconds to wait: until the next timer, at most the limit."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        waits = [limit] if limit is not None else []
        if self._timers:
            waits.append(self._timers[0][0] - self._clock())
        return max(0.0, min(waits)) * 1000 if waits else None

    def _call_timers(self) -> None:
        now = self._clock()
        due = []
        # Taken out first: timers that callbacks add wait for the next turn, so that none can starve the descriptors.
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for timer in due:
            if timer.cancelled:
                continue
            if timer.interval is not None:
                timer.due += timer.interval
                if timer.due <= now:
                    timer.due = now + timer.interval
                self._push(timer)
            _survives(timer.callback)

    def _call_signals(self) -> None:
        while self._signals:
            _survives(self._on_signal[self._signals.pop()])

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.add(number)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_reader, 4096):
                pass

    def _rest(self, fd: int, callback: Callback) -> None:
        def look_again() -> None:
            if self._watched.get(fd) is callback:
                self._poll.register(fd, select.POLLIN)

        if self._watched.get(fd) is callback:
            self._silence(fd)
            self.after(REST_AFTER_FAILURE, look_again)

    def _silence(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(fd)


def _survives(callback: Callback) -> bool:
    """Call back; log a failure and say so."""
    try:
        callback()
    except Exception:
        logger.exception("callback %r failed", callback)
        return False
    return True
