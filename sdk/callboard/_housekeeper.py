"""The housekeeping thread of a client: what the collector asked for, and the heartbeat."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class Housekeeper:
    """Run notes one by one, and a duty at an interval.

    `note` may be called from anywhere, also from a finalizer that interrupts any code in any thread: the queue is
    reentrant and takes no lock of ours.

    Args:
        duty: Called every ``interval`` seconds; what it raises is logged.
        interval: Seconds.
    """

    def __init__(self, duty: Callable[[], None], interval: float) -> None:
        self._notes: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._duty = duty
        self._interval = interval
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._run, name="callboard-housekeeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def note(self, task: Callable[[], object]) -> None:
        """Have a task run soon, in the housekeeping thread."""
        self._notes.put(task)

    def later(self, seconds: float, task: Callable[[], None]) -> None:
        """Have a task run after some time; only to be called in the housekeeping thread."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), task))

    def stop(self) -> None:
        """Run what has been noted so far, then end the thread; harmless when repeated or never started."""
        self._notes.put(None)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _on_duty(self) -> None:
        self.later(self._interval, self._on_duty)
        self._duty()

    def _run(self) -> None:
        self.later(self._interval, self._on_duty)
        while True:
            try:
                task = self._notes.get(timeout=max(0.0, self._due[0][0] - time.monotonic()))
            except queue.Empty:
                task = heapq.heappop(self._due)[2]
            if task is None:
                return
            try:
                task()
            except Exception as error:  # noqa: BLE001 - the next note must not suffer from this one
                _log.warning("a housekeeping task failed: %s", error)
