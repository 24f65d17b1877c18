"""Actors that write to their streams. Imported by workers: nothing heavy here."""

import os
import sys
from typing import Any

import callboard


class Talker:
    """Write what it is told.

    Args:
        first: What its constructor writes.
    """

    def __init__(self, first: str = "") -> None:
        if first:
            self.say(first)

    def say(self, *lines: str) -> int:
        """Write lines to stdout and return the process."""
        for line in lines:
            print(line)  # noqa: T201 - what it is for
        return os.getpid()

    def complain(self, *lines: str) -> int:
        """Write lines to stderr and return the process."""
        for line in lines:
            print(line, file=sys.stderr)  # noqa: T201 - the same
        return os.getpid()

    def write(self, data: bytes) -> int:
        """Write bytes past Python's stdout, as libraries in C do."""
        return os.write(1, data)

    def count_to(self, number: int, width: int = 0) -> int:
        """Write so many lines."""
        sys.stdout.write("".join(f"line {count:{width}}\n" for count in range(1, number + 1)))
        return os.getpid()

    def die_saying(self, last: str) -> None:
        """Write something without an end of the line, and crash."""
        os.write(1, last.encode())
        os._exit(3)

    def tell_child(self, line: str) -> tuple[int, Any]:
        """Make an actor of its own and have it write a line; return its process and a handle."""
        child: Any = callboard.remote(Talker).remote()
        return callboard.get(child.say.remote(line)), child


class Named(Talker):
    """Have a name of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} is being born")

    def __repr__(self) -> str:
        return f"Named({self.name})"


class Farewell(Talker):
    """Write at the end."""

    def __ray_shutdown__(self) -> None:
        self.say("good bye")
