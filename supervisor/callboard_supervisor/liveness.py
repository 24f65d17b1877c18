"""Judging heartbeats by one's own clock."""

from __future__ import annotations


class Observer:
    """Notice counters that do not move any more.

    Only time in which the observer's own beats were accepted counts: otherwise a full disk or an outage of Redis would
    make everybody else look dead. Times are handed in, in seconds of the observer's monotonic clock.
    """

    __slots__ = ("_last", "_seen", "_watched")

    def __init__(self) -> None:
        self._watched = 0.0
        self._last: float | None = None
        self._seen: dict[str, tuple[int, float]] = {}

    def beat(self, now: float, *, accepted: bool) -> None:
        """Note the observer's own beat."""
        if accepted and self._last is not None:
            self._watched += now - self._last
        self._last = now if accepted else None

    def still_for(self, who: str, counter: int) -> float:
        """Return for how many seconds of watched time a counter has not moved."""
        known = self._seen.get(who)
        if known is None or known[0] != counter:
            self._seen[who] = (counter, self._watched)
            return 0.0
        return self._watched - known[1]

    def forget(self, who: str) -> None:
        """Forget somebody who is gone."""
        self._seen.pop(who, None)
