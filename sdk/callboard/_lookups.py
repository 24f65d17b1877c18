"""Actors that were found by their names a moment ago, as programs look up the same ones again and again."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from callboard._definition import ClassInfo
    from callboard._holding import Hold
    from callboard._housekeeper import Housekeeper
    from callboard._terms import Terms
    from callboard_broker.wire import Reply

#: Seconds for which a hold is kept after a lookup; an actor that nobody else holds ends so much later.
_KEPT: Final = 0.02


class Found(NamedTuple):
    """An actor that was found by its name.

    Attributes:
        hold: The hold on it.
        info: Its class.
        terms: On which it is called.
        told: What its record said; as long as it says that, all of this is still so.
    """

    hold: Hold
    info: ClassInfo
    terms: Terms
    told: Reply


class Lookups:
    """Keep holds for a moment, so that a handle that is looked up, used and dropped over and over costs no messages.

    It says nothing of whether the actor still bears the name, or lives: that is looked up each time.
    """

    def __init__(self, housekeeper: Housekeeper) -> None:
        self._housekeeper = housekeeper
        self._found: dict[bytes, tuple[Found, float]] = {}

    def last(self, name: bytes) -> Found | None:
        """Return who bore a name a moment ago, if it was looked up then."""
        kept = self._found.get(name)
        return kept[0] if kept else None

    def keep(self, name: bytes, found: Found) -> None:
        """Keep the bearer of a name for a moment."""
        known = name in self._found
        self._found[name] = found, time.monotonic()
        if not known:
            self._housekeeper.note(partial(self._drop, name))

    def _drop(self, name: bytes) -> None:
        kept = self._found.get(name)
        if kept is None:
            return
        remaining = kept[1] + _KEPT - time.monotonic()
        if remaining > 0:
            self._housekeeper.later(remaining, partial(self._drop, name))
        else:
            self._found.pop(name, None)
