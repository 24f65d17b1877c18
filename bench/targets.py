"""What the figures should be, and whether they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bench.figures import number, times_better
from bench.workload import ACTORS, ALONE, BY_COMMAND, CALLS, MEGABYTES, MILLISECONDS, P50, P99, PERCENT, SECONDS

if TYPE_CHECKING:
    from bench.results import Results

OURS: Final = "callboard"
_NAMES: Final = {"ray": "Ray", "floor": "the floor", "rq": "plain RQ", OURS: OURS}


class Met(StrEnum):
    """Whether a target is met."""

    YES = "met"
    NO = "not met"
    UNKNOWN = "not measured"

    @classmethod
    def by(cls, *, yes: bool) -> Met:
        """Tell one from the other."""
        return cls.YES if yes else cls.NO


@dataclass(frozen=True, slots=True)
class Judged:
    """A target, and what was found."""

    workload: str
    what: str
    found: str
    wanted: str
    met: Met


@dataclass(frozen=True, slots=True)
class Ratio:
    """callboard should be so many times better than something, by the medians of one run.

    Attributes:
        workload: What callboard does.
        metric: What is compared: "per second" is better when it is more, all else when it is less.
        times: How many times better it should be.
        than: The other side.
        their_workload: What that does, if it is not the same.
        their_metric: What that is compared by, if it is not the same.
    """

    workload: str
    metric: str
    times: float
    than: str
    their_workload: str = ""
    their_metric: str = ""

    @property
    def workloads(self) -> list[str]:
        """Return what must be measured for it."""
        return [*([self.their_workload] if self.their_workload else []), self.workload]

    def found(self, results: Results) -> float | None:
        """Return how many times better callboard is; None if one of the two was not measured."""
        ours = results.spread(self.workload, OURS, self.metric)
        theirs = results.spread(self.their_workload or self.workload, self.than, self.their_metric or self.metric)
        return times_better(self.metric, ours.median, theirs.median) if ours and theirs else None

    def judge(self, results: Results) -> Judged:
        """Compare."""
        found = self.found(results)
        met = Met.UNKNOWN if found is None else Met.by(yes=found >= self.times)
        theirs = " ".join(
            [_NAMES[self.than], *([f"({self.their_workload})"] if self.their_workload else []), self.their_metric]
        )
        what = f"{self.metric} : {theirs.strip()}"
        said = "" if found is None else f"{number(found)}x"
        return Judged(self.workload, what, said, f">= {number(self.times)}x", met)


@dataclass(frozen=True, slots=True)
class Most:
    """A figure of callboard should be at most so much, by the median of one run."""

    workload: str
    metric: str
    most: float

    @property
    def workloads(self) -> list[str]:
        """Return what must be measured for it."""
        return [self.workload]

    def judge(self, results: Results) -> Judged:
        """Compare."""
        found = results.spread(self.workload, OURS, self.metric)
        met = Met.UNKNOWN if found is None else Met.by(yes=found.median <= self.most)
        said = "" if found is None else number(found.median)
        return Judged(self.workload, self.metric, said, f"<= {number(self.most)}", met)


def _flat(workload: str, baseline: str) -> Ratio:
    """Ask that a call costs at most half as much again as in another workload."""
    return Ratio(workload, CALLS, 1 / 1.5, OURS, their_workload=baseline)


_SPEED: Final[list[Ratio | Most]] = [
    Ratio("sync/idle", CALLS, 2.6, "ray"),
    Ratio("sync/idle", CALLS, 0.75, "floor"),
    Ratio("sync/idle", P99, 1, "ray", their_metric=P50),
    Ratio("sync/busy", CALLS, 4, "ray"),
    Ratio("sync/busy", CALLS, 0.75, "floor"),
    Ratio("sync/busy", P99, 1, "ray", their_metric=P50),
    Ratio("pipelined/1", CALLS, 8, "ray"),
    Ratio("pipelined/1", CALLS, 0.5, "floor"),
    Ratio("pipelined/2", CALLS, 8, "ray"),
    Ratio("pipelined/4x4", CALLS, 8, "ray"),
    Ratio("sync/async", CALLS, 5, "ray"),
    Ratio("pipelined/async", CALLS, 8, "ray"),
    Ratio("pipelined/threaded", CALLS, 5, "ray"),
    Ratio("echo/10KB", CALLS, 4, "ray"),
    Ratio("echo/1MB", CALLS, 1.5, "ray"),
    Ratio("echo/10MB", CALLS, 1.5, "ray"),
    Ratio("echo/1MB-numpy", CALLS, 1.5, "ray"),
    Ratio("echo/10MB-numpy", CALLS, 1.5, "ray"),
    Ratio("create/30", ACTORS, 40, "ray"),
    Ratio("create/200", ACTORS, 40, "ray", their_workload="create/30"),
    Ratio("recovery", MILLISECONDS, 10, "ray"),
    Ratio("named", CALLS, 4, "ray"),
    Ratio("memory", MEGABYTES, 8, "ray"),
    Ratio("tasks/sync", CALLS, 1, "rq"),
    Ratio("tasks/100", CALLS, 1, "rq"),
]
_GROWTH: Final[list[Ratio | Most]] = [
    _flat("waiting/1000", "waiting/10"),
    _flat("waiting/100000", "waiting/1000"),
    _flat("live/100", "live/1"),
    _flat("live/1000", "live/1"),
    _flat("clients/20", "clients/1"),
    _flat("clients/200", "clients/1"),
    _flat("holders/100", "holders/1"),
    _flat("holders/1000", "holders/1"),
    Most("list/10000", SECONDS, 1),
    Most("list/10000", BY_COMMAND, 1),
    Most("crowd/1000", SECONDS, 60),
    Most("crowd/1000", MEGABYTES, 6_000),
    Most("idle/1000", PERCENT, 20),
]
_PRESSURE: Final[list[Ratio | Most]] = [
    Most("visible/again", P99, 2),
    Most("visible/first", P99, 2),
    Ratio("beside/busy-actor", CALLS, 1 / 1.5, OURS, their_metric=ALONE),
    Ratio("beside/slow-reader", CALLS, 1 / 1.5, OURS, their_metric=ALONE),
]
#: By the names of suites, in the order of tables.
TARGETS: Final[dict[str, list[Ratio | Most]]] = {
    "speed": _SPEED,
    "growth": _GROWTH,
    "pressure": _PRESSURE,
}
