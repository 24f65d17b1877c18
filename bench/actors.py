"""The actors that are called; the same classes on all sides that speak Ray's API.

Workers import this module, so it imports nothing that would be counted as an actor's memory.
"""

from __future__ import annotations

import os
import time
from typing import Any


class Counter:
    """The smallest actor with state."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._value = 0

    def add(self) -> int:
        """Count."""
        self._value += 1
        return self._value

    def echo(self, value: Any) -> Any:
        """Return what came."""
        return value

    def stamp(self) -> float:
        """Return when the call ends, by the clock that all processes of a machine share."""
        return time.monotonic()

    def block(self, seconds: float) -> None:
        """Be in a call."""
        time.sleep(seconds)  # noqa: TID251 - not a test: a call that takes its time

    def spin(self, seconds: float) -> None:
        """Be busy."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass

    def pid(self) -> int:
        """Return the process that is the actor."""
        return os.getpid()


class AsyncCounter:
    """The same on an event loop."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._value = 0

    async def add(self) -> int:
        """Count."""
        self._value += 1
        return self._value


class Holder:
    """An actor that holds a handle, and is a client of the other."""

    def __init__(self, held: Any) -> None:
        """Take the handle."""
        self._held = held
        self._refs: list[Any] = []

    def ready(self) -> bool:
        """Tell that it has it."""
        return self._held is not None

    def call(self, count: int) -> int:
        """Make calls, and only then read their results."""
        import callboard  # noqa: PLC0415 - Ray's side does not have it

        return len(callboard.get([self._held.add.remote() for _ in range(count)]))

    def ask(self, count: int, size: int) -> int:
        """Make calls, and leave their results where they are."""
        self._refs += [self._held.echo.remote(bytes(size)) for _ in range(count)]
        return os.getpid()
