"""The actors that are called; the same classes on all sides that speak Ray's API."""

from __future__ import annotations

import os
import time
from typing import Any

from bench.workload import pause


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
        pause(seconds)

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
