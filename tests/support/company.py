"""Actors that hold, make and call other actors. Imported by workers: nothing heavy here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.mortals import Mortal, pass_gate

import callboard


class Keeper(Mortal):
    """Keep things, pass them on, and make actors of its own.

    Args:
        notes: As for `Mortal`.
        kept: What it has from its constructor, which does not keep it beyond that.
    """

    def __init__(self, notes: str, *_kept: Any) -> None:
        super().__init__(notes)
        self._kept: Any = None

    def keep(self, thing: Any) -> None:
        """Keep a thing as an attribute."""
        self._kept = thing

    def give(self) -> Any:
        """Return what is kept."""
        return self._kept

    def give_several(self, times: int) -> Iterator[Any]:
        """Yield what is kept, several times."""
        for _ in range(times):
            yield self._kept

    def drop(self) -> None:
        """Keep nothing any more."""
        self._kept = None

    def ignore(self, *things: Any) -> int:
        """Take things and forget them."""
        return len(things)

    def have_behind(self, gate: str, line: str, thing: Any) -> str:
        """Note a line and have a thing as an argument until a gate opens."""
        del thing
        return self.behind(gate, line)

    def raise_with(self, thing: Any) -> None:
        """Raise an error that has a thing."""
        raise LookupError(thing)

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the actor that is kept and return the result."""
        return callboard.get(getattr(self._kept, method).remote(*args), timeout=10)

    def submit(self, method: str, *args: Any) -> None:
        """Call a method of the actor that is kept and do not wait for the result."""
        getattr(self._kept, method).remote(*args)

    def make(self, notes: str, **options: Any) -> Any:
        """Create an actor, keep it, and return its handle."""
        self._kept = callboard.remote(Keeper).options(**options).remote(notes)
        return self._kept

    def make_line(self, notes: list[str]) -> list[Any]:
        """Create a line of actors, each of which creates the next; return their handles."""
        if not notes:
            return []
        child = self.make(notes[0])
        line: list[Any] = callboard.get(child.make_line.remote(notes[1:]), timeout=20)
        return [child, *line]


class Maker(Keeper):
    """Make an actor in the constructor, too.

    Args:
        notes: As for `Mortal`; the actors that it makes note things in files of that name with a number.
    """

    def __init__(self, notes: str) -> None:
        super().__init__(notes)
        self.make(f"{notes}.{self._notes.count('init')}")


class Sender:
    """Pass on what arrives when a gate is open: arguments that are not there yet."""

    def value_behind(self, gate: str, value: Any) -> Any:
        """Return a value when a gate opens."""
        pass_gate(gate)
        return value

    def fail_behind(self, gate: str) -> None:
        """Raise an error when a gate opens."""
        pass_gate(gate)
        raise LookupError(Path(gate).name)
