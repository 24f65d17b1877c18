"""Sweeping the shared memory of this host: large values that nobody can want any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from callboard_broker.records import State
from callboard_broker.wire import entries, maybe_text

if TYPE_CHECKING:
    from callboard_broker.segments import Segments
    from callboard_broker.shelves import Shelf
    from callboard_supervisor.house import House
    from callboard_supervisor.link import Link

#: Arguments are for an actor; the tokens and ids that outcomes are named by are shorter.
_ARGUMENTS: Final = re.compile(r"\d+\.([0-9a-f]{32})")
#: Before all entries.
_NONE: Final = (0, 0)


class Shelves:
    """Take away what lies on the shelves of the dead, and what has been free for long.

    Args:
        house: What the duties share.
        segments: Those of this callboard on this host.
    """

    def __init__(self, house: House, segments: Segments) -> None:
        self._house = house
        self._segments = segments
        self._shelf: Shelf | None = None
        #: Of what a dead client has left for an actor: the entry up to which those in its mailbox may be the client's;
        #: None at the first look, when some may still be on their way.
        self._left: dict[tuple[str, str], tuple[int, int] | None] = {}

    def open(self) -> None:
        """Show callers that this node is on their host."""
        self._shelf = self._segments.shelf(self._house.node)

    def sweep(self) -> None:
        """Look at every shelf."""
        seen: dict[tuple[str, str], bool] = {}
        for owner, names in self._segments.unlocked():
            for name in names:
                given = _ARGUMENTS.fullmatch(name)
                if given:
                    key = owner, given[1]
                    if key not in seen:
                        seen[key] = self._wanted(key)
                    if seen[key]:
                        continue
                self._segments.free(owner, name)
        self._left = {key: left for key, left in self._left.items() if key in seen}
        self._segments.trim(self._house.config.timing.heartbeat_timeout)

    def close(self) -> None:
        """Leave; of a callboard that ends with its program take everything along that is nobody's."""
        if self._house.config.tied:
            for owner, names in self._segments.unlocked():
                for name in names:
                    self._segments.free(owner, name, again=False)
        if self._shelf is not None:
            self._shelf.close()

    def _wanted(self, key: tuple[str, str]) -> bool:
        """Tell whether an entry may name arguments that a dead client has left for an actor."""
        link, (_, actor) = self._house.link, key
        state = maybe_text(link.call("HGET", link.keys.actor(actor), "state"))
        if state in {None, State.DEAD}:
            return False
        if key not in self._left:
            self._left[key] = None
            return True
        last = self._left[key]
        if last is None:
            last = self._left[key] = _edge(link, actor, "XREVRANGE", "+", "-")
        return _NONE < _edge(link, actor, "XRANGE", "-", "+") <= last


def _edge(link: Link, actor: str, command: str, begin: str, end: str) -> tuple[int, int]:
    """Return the first or the last entry of an actor's mailbox, whatever it is called; `_NONE` when it is empty."""
    streams = [link.keys.mailbox(actor), link.keys.sealed(actor)]
    for found in link.pipeline([(command, stream, begin, end, "COUNT", 1) for stream in streams]):
        for entry, _ in entries(found):
            milliseconds, _, number = entry.decode().partition("-")
            return int(milliseconds), int(number)
    return _NONE
