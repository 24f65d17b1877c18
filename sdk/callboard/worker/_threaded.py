"""A threaded actor: each call runs in some thread.

Handing a call to a thread costs more than most calls take. So a thread that has run a call settles it and goes on with
the next of its group; and what was quick when it ran last is not given a thread of its own as long as one of its group
is busy with another such call, and will take it next. Should that not be so quick this time, it is noticed soon.
"""

from __future__ import annotations

import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard.worker._concurrent import COLLECT, ConcurrentExecutor, running_here
from callboard.worker._signals import Departure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from callboard._definition import ClassInfo
    from callboard.worker._executor import Line
    from callboard.worker._groups import Group, Running
    from callboard.worker._runner import Runner
    from callboard_broker.envelope import Outcome


#: Nanoseconds up to which a method counts as quick: less than what handing its calls to several threads costs.
_QUICK_NS: Final = 100_000
#: Seconds after which a call that was to be quick is looked at.
_LOOK: Final = 0.002


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


class ThreadedExecutor(ConcurrentExecutor):
    """Run an actor's calls in threads; takes what every `ConcurrentExecutor` takes."""

    def __init__(
        self, line: Line, runner: Runner, info: ClassInfo, limits: Mapping[str, int], loop: asyncio.Runner
    ) -> None:
        super().__init__(line, runner, info, limits, loop)
        self._threads = Threads()
        #: Methods that were quick when they ran last.
        self._quick: set[str] = set()
        self._only = next(iter(self._groups.values())) if len(self._groups) == 1 else None
        self._looking = False

    def _begin(self, running: Running) -> None:
        self._threads.run(partial(self._run, running))

    def _run(self, first: Running) -> None:
        running: Running | None = first
        while running is not None:
            running_here.set(running)
            began = time.monotonic_ns()
            try:
                outcome = self._runner.run(running.call)
            except BaseException as way_out:  # noqa: BLE001 - whatever it is, the actor leaves by it
                self._departed(running, way_out)
                return
            if time.monotonic_ns() - began < _QUICK_NS:
                self._quick.add(running.call.method)
            else:
                self._quick.discard(running.call.method)
            with self._lock:
                try:
                    running = self._finished(running, outcome)
                except Departure as way_out:
                    self._end(way_out)
                    return

    def _finished(self, running: Running, outcome: Outcome) -> Running | None:
        """Settle a call; return the one that the same thread is to run next."""
        if self._over:
            return None
        self._answer(running, outcome)
        waiting = running.group.waiting
        # What has finished goes together with what finishes soon, but waits for nothing that may take its time.
        self._replies.secure(at_once=not waiting or waiting[0].method not in self._quick)
        self._collect_soon()
        self._stopped(running)
        following = self._next(running.group)
        if following is None:
            self._look_for_the_end()
        if following is None or not following.quick:
            self._ask()
        return following

    def _next(self, group: Group) -> Running | None:
        if group.quick and group.waiting and group.waiting[0].method in self._quick:
            self._look_later()
            return None
        running = super()._next(group)
        if running is not None and running.call.method in self._quick:
            running.quick = True
            group.quick += 1
        return running

    def _wants_more(self) -> bool:
        if not super()._wants_more():
            return False
        if self._only is not None and self._only.quick:
            # The thread that is to be free at once asks, when it needs them. What is read is not known before, so an
            # actor with several groups reads on: no call of one waits for those of another.
            self._look_later()
            return False
        return True

    def _stopped(self, running: Running) -> None:
        self._not_quick(running)
        super()._stopped(running)

    def _not_quick(self, running: Running) -> None:
        if running.quick:
            running.quick = False
            running.group.quick -= 1

    def _look_later(self) -> None:
        if not self._looking:
            self._looking = True
            self._loop.call_soon_threadsafe(self._loop.call_later, _LOOK, self._look)

    def _look(self) -> None:
        """Have nothing wait any longer for calls that were to be quick and are not."""
        with self._lock, self._departures():
            self._looking = False
            before = time.monotonic_ns() - int(_LOOK * 1e9)
            for running in [*self._running.values()]:
                if running.quick and running.since < before:
                    self._quick.discard(running.call.method)
                    self._not_quick(running)
            for group in self._groups.values():
                self._fill(group)
            self._ask()

    def _send_soon(self) -> None:
        self._send()

    def _collect_later(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.call_later, COLLECT, self._collect)
