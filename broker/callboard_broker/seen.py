"""The dedup ledger: which calls of a caller an actor has finished.

Sequence numbers of one caller to one actor have no gaps, so what has been finished is a low-water mark and, above it, the
few numbers that finished out of turn. A call that arrives twice (sent again after a broken connection whose first attempt
had gone through after all) is recognised by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ledger:
    """What one actor has finished, per caller. Holds no I/O: `changes` are written by the script that settles calls."""

    __slots__ = ("_above", "_low")

    def __init__(self, stored: Mapping[str, bytes] | None = None) -> None:
        self._low: dict[str, int] = {}
        self._above: dict[str, set[int]] = {}
        for caller, value in (stored or {}).items():
            low, _, above = value.decode().partition("|")
            self._low[caller] = int(low)
            self._above[caller] = {int(number) for number in above.split(",") if number}

    def finished(self, caller: str, seq: int) -> bool:
        """Tell whether a call has been finished."""
        return seq <= self._low.get(caller, 0) or seq in self._above.get(caller, ())

    def finish(self, caller: str, seq: int) -> None:
        """Note that a call has been finished; twice is the same as once."""
        low = self._low.get(caller, 0)
        if seq == low + 1 and caller not in self._above:
            self._low[caller] = seq
            return
        if seq <= low:
            return
        above = self._above.setdefault(caller, set())
        above.add(seq)
        while low + 1 in above:
            low += 1
            above.remove(low)
        self._low[caller] = low
        if not above:
            del self._above[caller]

    def value(self, caller: str) -> bytes:
        """Return what is stored for a caller: the low-water mark and, after a bar, the numbers above it."""
        low, above = self._low.get(caller, 0), self._above.get(caller)
        if not above:
            return b"%d" % low
        return f"{low}|{','.join(map(str, sorted(above)))}".encode()
