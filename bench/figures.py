"""Statistics of measurements."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], rank: float) -> float:
    """Return the smallest value that at least ``rank`` percent of the values do not exceed.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no values, so there is no percentile")
    return sorted(values)[max(0, math.ceil(len(values) * rank / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Take the rounds of one side.

        Raises:
            statistics.StatisticsError: There are none.
        """
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.least)}..{number(self.most)})"


def number(value: float) -> str:
    """Write a number with three digits that count; those above a thousand in full."""
    if value == 0 or abs(value) >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def more_is_better(metric: str) -> bool:
    """Tell whether a metric is a speed."""
    return metric.endswith("/s")


def times_better(metric: str, ours: float, theirs: float) -> float:
    """Return how many times better ours is: as many times faster, or as many times smaller."""
    return ours / theirs if more_is_better(metric) else theirs / ours
