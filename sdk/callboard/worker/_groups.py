"""Concurrency groups: how many calls run at once, and which ones wait; and the threads of a threaded actor."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard_broker.envelope import Call


class Group:
    """The calls of one concurrency group.

    Args:
        limit: How many run at once.
    """

    __slots__ = ("limit", "running", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.waiting: deque[Call] = deque()


class Threads:
    """Threads that run jobs, started when all others are busy. They are daemons: the end of an actor may not wait."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def run(self, job: Callable[[], None]) -> None:
        """Run a job in some thread; it must not raise."""
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False):
            self._count += 1
            threading.Thread(target=self._work, name=f"callboard-call-{self._count}", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            self._idle.release()
