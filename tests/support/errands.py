"""Functions for tests of remote functions. Imported by workers: nothing heavy here."""

import os
from collections.abc import Iterator
from typing import Any

from tests.support.mortals import WAYS, Notes, crash, pass_gate, pause

import callboard

__all__ = ["add", "descend", "die", "divide", "hold", "keep", "own", "pid", "stagger", "tell", "trickle"]


def add(first: Any, second: Any = 1) -> Any:
    """Add."""
    return first + second


def divide(first: float, second: float) -> float:
    """Divide, or fail."""
    return first / second


def pid() -> int:
    """Return the process."""
    return os.getpid()


def tell(notes: str, line: str) -> str:
    """Note a line and return it."""
    Notes(notes).add(line)
    return line


def hold(notes: str, gate: str, line: str) -> str:
    """Note a line and the process, wait for a gate, note and return the line."""
    found = Notes(notes)
    found.introduce()
    found.add(f"{line} began")
    pass_gate(gate)
    found.add(f"{line} ended")
    return line


def own(notes: str, number: int) -> list[Any]:
    """Note a line, wait until so many have, and return a reference to a value that this process owns."""
    found = Notes(notes)
    found.add("owns")
    while found.count("owns") < number:
        pause(0.002)
    return [callboard.put("kept")]


def die(notes: str, line: str, way: str, times: int) -> str:
    """Note a line and leave on some way, unless that has been done often enough."""
    found = Notes(notes)
    found.add(line)
    if found.count(line) <= times:
        WAYS[way]()
    return line


def stagger(notes: str, line: str, kind: type[Exception], times: int) -> str:
    """Note a line and raise, unless that has been done often enough."""
    found = Notes(notes)
    found.add(line)
    if found.count(line) <= times:
        raise kind(line)
    return line


def descend(levels: int) -> list[int]:
    """Have another process do the rest, and return the processes."""
    if not levels:
        return [os.getpid()]
    deeper: list[int] = callboard.get(callboard.remote(descend).remote(levels - 1))
    return [os.getpid(), *deeper]


def keep(cls: type, *args: Any) -> tuple[int, Any]:
    """Make an actor; return this process and the handle."""
    return os.getpid(), callboard.remote(cls).remote(*args)


def trickle(count: int, notes: str | None = None, crash_at: int = -1) -> Iterator[int]:
    """Yield numbers, noting each; the first time some number comes, die."""
    for number in range(count):
        if notes is not None:
            found = Notes(notes)
            found.add(f"{number}")
            if number == crash_at and found.count(f"{number}") == 1:
                crash()
        yield number
