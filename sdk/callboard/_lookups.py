"""Actors that were found by their names a moment ago, as programs look up the same ones again and again."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from callboard._holding import Hold
    from callboard._housekeeper import Housekeeper

#: Seconds for which a hold is kept after a lookup; an actor that nobody else holds ends so much later.
_KEPT: Final = 0.02


class Lookups:
    """Keep holds for a moment, so that a handle that is looked up, used and dropped over and over costs no messages.

    It says nothing of whether the actor still bears the name, or lives: that is looked up each time.
    """

    def __init__(self, housekeeper: Housekeeper) -> None:
        self._housekeeper = housekeeper
        self._found: dict[bytes, tuple[Hold, float]] = {}

    def last(self, name: bytes) -> str | None:
        """Return who bore a name a moment ago, if it was looked up then."""
        found = self._found.get(name)
        return found[0].actor if found else None

    def keep(self, name: bytes, hold: Hold) -> None:
        """Keep the hold on the bearer of a name for a moment."""
        known = name in self._found
        self._found[name] = hold, time.monotonic()
        if not known:
            self._housekeeper.note(partial(self._drop, name))

    def _drop(self, name: bytes) -> None:
        found = self._found.get(name)
        if found is None:
            return
        remaining = found[1] + _KEPT - time.monotonic()
        if remaining > 0:
            self._housekeeper.later(remaining, partial(self._drop, name))
        else:
            self._found.pop(name, None)
