"""What was measured, by workload, side and metric."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from bench.figures import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.workload import Sample


_PATH: Final = re.compile(r"(/[^/\s'\",:]+){2,}")


@dataclass(slots=True)
class Results:
    """All rounds of all workloads.

    Attributes:
        rounds: Values of each round, by workload, side and metric.
        errors: What failed, by workload and side: the last line of the text, without paths.
        facts: Versions, machine and settings.
    """

    rounds: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, workload: str, side: str, sample: Sample) -> None:
        """Take one measurement."""
        metrics = self.rounds.setdefault(workload, {}).setdefault(side, {})
        for metric, value in sample.items():
            metrics.setdefault(metric, []).append(value)

    def fail(self, workload: str, side: str, error: str) -> None:
        """Note that a side could not do something. The first failure counts."""
        self.errors[workload].setdefault(side, _PATH.sub("(path)", error.strip().splitlines()[-1]))

    def spread(self, workload: str, side: str, metric: str) -> Spread | None:
        """Return what the rounds found; None if there were none."""
        values = self.rounds.get(workload, {}).get(side, {}).get(metric)
        return Spread.of(values) if values else None

    def metrics(self, workload: str) -> list[str]:
        """Return the metrics of a workload, in the order in which they were measured."""
        sides = self.rounds.get(workload, {}).values()
        return list(dict.fromkeys(metric for metrics in sides for metric in metrics))

    def as_json(self) -> dict[str, Any]:
        """Return all of it for a file, with five digits that count."""
        rounds = {
            workload: {
                side: {metric: [float(f"{value:.5g}") for value in values] for metric, values in metrics.items()}
                for side, metrics in sides.items()
            }
            for workload, sides in self.rounds.items()
        }
        return {"facts": self.facts, "rounds": rounds, "errors": self.errors}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Take what was in a file."""
        return cls(found["rounds"], defaultdict(dict, found["errors"]), found["facts"])
