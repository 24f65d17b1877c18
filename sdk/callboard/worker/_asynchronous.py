"""An async actor: each call runs as a task on the event loop of the main thread, which nothing here ever leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from callboard.worker._concurrent import COLLECT, ConcurrentExecutor, running_here
from callboard.worker._signals import Terminated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callboard._definition import ClassInfo
    from callboard.worker._coroutines import CoroutineRunner
    from callboard.worker._executor import Line
    from callboard.worker._groups import Running


class AsyncExecutor(ConcurrentExecutor):
    """Run an actor's calls on the event loop; takes what every `ConcurrentExecutor` takes."""

    def __init__(
        self, line: Line, runner: CoroutineRunner, info: ClassInfo, limits: Mapping[str, int], loop: asyncio.Runner
    ) -> None:
        super().__init__(line, runner, info, limits, loop)
        self._coroutines = runner
        self._sending = False

    def terminate(self) -> None:
        """Leave because of SIGTERM: a coroutine that runs at this moment is interrupted.

        Raises:
            Terminated: In the user's code.
        """
        super().terminate()
        running = running_here.get() if asyncio.current_task(self._loop) else None
        if running is not None and not running.settling:
            running.interrupted = True
            raise Terminated

    def _begin(self, running: Running) -> None:
        running.task = self._loop.create_task(self._run(running))

    async def _run(self, running: Running) -> None:
        running_here.set(running)
        try:
            outcome = await self._coroutines.run_here(running.call)
            if running.interrupted:
                raise Terminated
        except BaseException as way_out:  # noqa: BLE001 - whatever it is, the actor leaves by it
            running.settling = True
            self._departed(running, way_out)
            return
        running.settling = True
        with self._lock, self._departures():
            if not self._over:
                self._answer(running, outcome)
                self._replies.journal()
                self._send_soon()
                self._stopped(running)
                self._fill(running.group)
                if not self._asked:
                    self._ask()

    def _send_soon(self) -> None:
        if len(self._running) <= 1 and not self._in_hand:
            # Nothing else is about to finish that could go with it.
            self._send()
        elif not self._sending:
            self._sending = True
            self._loop.call_soon(self._send_together)

    def _send_together(self) -> None:
        self._sending = False
        self._send()

    def _collect_later(self) -> None:
        self._loop.call_later(COLLECT, self._collect)
