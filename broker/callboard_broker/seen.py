"""The dedup ledger: which calls of a caller an actor has finished.

Sequence numbers of one caller to one actor hardly have gaps, so what has been finished is a low-water mark and, above
it, the few ranges that finished out of turn. A call that arrives twice (sent again after a broken connection whose
first attempt had gone through after all) is recognised by it.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Above every number.
_ENDLESS: Final = sys.maxsize


class Finished:
    """The finished calls of one caller.

    A number that was never taken, as the server refused its call, stays a gap for ever: what is above the low-water
    mark is kept as ranges, so that each gap costs as little as one number.
    """

    __slots__ = ("_above", "_low")

    def __init__(self, stored: bytes = b"0") -> None:
        low, _, above = stored.partition(b"|")
        self._low = int(low)
        self._above: list[tuple[int, int]] = []
        # Scripts append numbers as they come.
        for first, last in sorted(_range(part) for part in above.split(b",") if part):
            if self._above and first <= self._above[-1][1] + 1:
                first, last = self._above[-1][0], max(last, self._above.pop()[1])  # noqa: PLW2901 - grown
            self._above.append((first, last))
        self._close_up()

    def __contains__(self, seq: int) -> bool:
        if seq <= self._low:
            return True
        if not self._above:
            return False
        at = bisect_right(self._above, (seq, _ENDLESS)) - 1
        return at >= 0 and seq <= self._above[at][1]

    def add(self, seq: int) -> None:
        """Note that a call has been finished; twice is the same as once."""
        if seq == self._low + 1 and not self._above:
            self._low = seq
            return
        if seq in self:
            return
        above, first, last = self._above, seq, seq
        at = bisect_right(above, (seq, _ENDLESS))
        if at < len(above) and above[at][0] == seq + 1:
            last = above.pop(at)[1]
        if at and above[at - 1][1] == seq - 1:
            at -= 1
            first = above.pop(at)[0]
        above.insert(at, (first, last))
        self._close_up()

    def _close_up(self) -> None:
        while self._above and self._above[0][0] <= self._low + 1:
            self._low = max(self._low, self._above.pop(0)[1])

    def remove(self, seq: int) -> None:
        """Note that a call is to run again; one that has not been finished is none to remove."""
        if seq not in self:
            return
        ranges = [(1, self._low), *self._above]
        at = bisect_right(ranges, (seq, _ENDLESS)) - 1
        first, last = ranges[at]
        ranges[at : at + 1] = [(first, seq - 1), (seq + 1, last)]
        self._low = ranges[0][1]
        self._above = [part for part in ranges[1:] if part[0] <= part[1]]

    def beyond(self, earlier: Finished) -> set[int]:
        """Return the calls that had not been finished earlier."""
        ranges = [(earlier._low + 1, self._low), *self._above]
        return {number for first, last in ranges for number in range(first, last + 1) if number not in earlier}

    def stored(self) -> bytes:
        """Return what is stored: the low-water mark and, after a bar, the ranges above it."""
        if not self._above:
            return b"%d" % self._low
        above = (b"%d" % first if first == last else b"%d-%d" % (first, last) for first, last in self._above)
        return b"%d|%b" % (self._low, b",".join(above))


def _range(part: bytes) -> tuple[int, int]:
    first, _, last = part.partition(b"-")
    return int(first), int(last or first)


class Ledger:
    """What one actor has finished. Holds no I/O: what changed is written by the script that settles calls."""

    __slots__ = ("_callers",)

    def __init__(self, stored: Mapping[str, bytes] | None = None) -> None:
        self._callers = {caller: Finished(value) for caller, value in (stored or {}).items()}

    def of(self, caller: str) -> Finished:
        """Return the finished calls of a caller."""
        found = self._callers.get(caller)
        if found is None:
            found = self._callers[caller] = Finished()
        return found

    def beyond(self, stored: Mapping[str, bytes]) -> set[tuple[str, int]]:
        """Return what has been finished, as caller and number, that an earlier state of the ledger does not have."""
        return {
            (caller, number)
            for caller, finished in self._callers.items()
            for number in finished.beyond(Finished(stored.get(caller, b"0")))
        }
