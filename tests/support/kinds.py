"""Actors of each kind that runs several calls at once, with the same methods. Imported by workers: nothing heavy."""

import asyncio
import contextlib
import os
import threading
from typing import Any

from tests.support.mortals import LONG, WAYS, Mortal, pass_gate, pause

import callboard

__all__ = ["KINDS", "Several", "Swift", "create"]


class Several(Mortal):
    """A threaded actor, when it is created with ``max_concurrency``."""

    def hold(self, gate: str, line: str) -> str:
        """Note a line, wait for a gate, note and return the line."""
        self._notes.add(f"{line} began")
        pass_gate(gate)
        self._notes.add(f"{line} ended")
        return line

    def leave(self, line: str, way: str, times: int = 1) -> str:
        """Note a line and leave on some way, unless that has been done often enough."""
        return self.die(line, way, times)

    def leave_swallowed(self) -> str:
        """Leave, and swallow what that raises."""
        return self.exit_swallowed()

    def hang(self) -> None:
        """Note it and go on for a long time."""
        self._notes.add("hang")
        pause(LONG)

    def thread(self) -> str:
        """Return the name of the thread."""
        return threading.current_thread().name


class Swift(Mortal):
    """An async actor."""

    async def hold(self, gate: str, line: str) -> str:
        """Note a line, wait for a gate, note and return the line."""
        self._notes.add(f"{line} began")
        try:
            while not os.path.exists(gate):  # noqa: ASYNC110, ASYNC240, PTH110 - other processes open the gate
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            self._notes.add(f"{line} cancelled")
            raise
        self._notes.add(f"{line} ended")
        return line

    async def leave(self, line: str, way: str, times: int = 1) -> str:
        """Note a line and leave on some way, unless that has been done often enough."""
        self._notes.add(line)
        await asyncio.sleep(0)
        if self._notes.count(line) <= times:
            WAYS[way]()
        return line

    async def leave_swallowed(self) -> str:
        """Leave, and swallow what that raises."""
        with contextlib.suppress(BaseException):
            callboard.actor.exit_actor()
        return "swallowed"

    async def leave_in_task(self) -> str:
        """Leave in a task of its own, and go on until that has ended."""

        async def leave() -> None:
            callboard.actor.exit_actor()

        await asyncio.wait([asyncio.create_task(leave())])
        return "still here"

    async def hang(self) -> None:
        """Note it and go on for a long time."""
        self._notes.add("hang")
        await asyncio.sleep(LONG)

    async def loop(self) -> bool:
        """Tell whether the main thread runs the loop."""
        return threading.current_thread() is threading.main_thread() and asyncio.get_running_loop().is_running()

    def blocks(self, gate: str) -> bool:
        """Tell whether a plain method runs on the loop's thread; keep the loop busy until a gate opens."""
        pass_gate(gate)
        return asyncio.get_running_loop().is_running()

    async def ask(self, handle: Any, method: str, *args: Any) -> Any:
        """Await the result of another actor."""
        return await getattr(handle, method).remote(*args)

    async def ask_all(self, handle: Any, method: str, things: list[Any]) -> Any:
        """Await several results of another actor together."""
        return await asyncio.gather(*[getattr(handle, method).remote(thing) for thing in things])

    async def get(self, handle: Any, method: str, *args: Any) -> Any:
        """Get the result of another actor without awaiting it."""
        return callboard.get(getattr(handle, method).remote(*args), timeout=10)


#: Class, and the option that makes it run so many calls at once.
KINDS: dict[str, type[Mortal]] = {"threaded": Several, "async": Swift}


def create(kind: str, notes: Any, at_once: int = 3, **options: Any) -> Any:
    """Create an actor of a kind that runs so many calls at once."""
    cls: Any = KINDS[kind]
    return callboard.remote(cls).options(max_concurrency=at_once, **options).remote(str(notes.path))
