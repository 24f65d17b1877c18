"""The dedup ledger: which calls of a caller an actor has finished.

Sequence numbers of one caller to one actor have no gaps, so what has been finished is a low-water mark and, above it,
the few numbers that finished out of turn. A call that arrives twice (sent again after a broken connection whose first
attempt had gone through after all) is recognised by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Finished:
    """The finished calls of one caller."""

    __slots__ = ("_above", "_low")

    def __init__(self, stored: bytes = b"0") -> None:
        low, _, above = stored.partition(b"|")
        self._low = int(low)
        self._above = {int(number) for number in above.split(b",") if number}

    def __contains__(self, seq: int) -> bool:
        return seq <= self._low or seq in self._above

    def add(self, seq: int) -> None:
        """Note that a call has been finished; twice is the same as once."""
        if seq == self._low + 1 and not self._above:
            self._low = seq
            return
        if seq <= self._low:
            return
        self._above.add(seq)
        while self._low + 1 in self._above:
            self._low += 1
            self._above.remove(self._low)

    def beyond(self, earlier: Finished) -> set[int]:
        """Return the calls that had not been finished earlier."""
        return {number for number in range(earlier._low + 1, self._low + 1) if number not in earlier._above} | (
            self._above - earlier._above
        )

    def stored(self) -> bytes:
        """Return what is stored: the low-water mark and, after a bar, the numbers above it."""
        if not self._above:
            return b"%d" % self._low
        return b"%d|%b" % (self._low, b",".join(b"%d" % number for number in sorted(self._above)))


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
