"""An actor that has things under names, and makes actors. Imported by workers: nothing heavy here."""

from typing import Any

from tests.support.mortals import Mortal

import callboard


class Cupboard:
    """Keep things until it is told to drop them."""

    def __init__(self) -> None:
        self._things: dict[str, Any] = {}

    def keep(self, name: str, thing: Any) -> None:
        """Keep a thing under a name."""
        self._things[name] = thing

    def give(self, name: str) -> Any:
        """Return what is kept."""
        return self._things[name]

    def drop(self, name: str) -> None:
        """Keep it no more."""
        del self._things[name]

    def make(self, name: str, notes: str) -> str:
        """Create an actor, keep its handle, and return its id."""
        handle = callboard.remote(Mortal).remote(notes)
        self._things[name] = handle
        return str(handle._actor_id)  # type: ignore[attr-defined,unused-ignore]
