"""What two runs of one program mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from conformance.scenario import numbers

if TYPE_CHECKING:
    from conformance.scenario import Scenario


class Verdict(StrEnum):
    """What a scenario has shown."""

    SAME = "same"
    BETTER = "better"
    PLANNED = "planned"
    DIFFERENT = "different"
    BROKEN = "broken"


#: What nobody has explained.
FAILURES = frozenset({Verdict.DIFFERENT, Verdict.BROKEN})


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program.

    Attributes:
        lines: What it printed.
        code: Its exit code; None if it did not end in time.
        errors: The end of what it wrote to standard error.
    """

    lines: tuple[str, ...]
    code: int | None = 0
    errors: str = ""


def judge(scenario: Scenario, on_ray: Run, on_callboard: Run, planned: frozenset[str]) -> Verdict:
    """Compare two runs.

    A program that fails on Ray says nothing. One that is to show more than Ray keeps must print exactly what it
    expects, even where Ray happens to print the same.

    Args:
        scenario: What has run.
        on_ray: Its run on Ray.
        on_callboard: Its run on callboard.
        planned: Behaviours that callboard does not have yet: such a difference is explained.
    """
    if on_ray.code != 0:
        return Verdict.BROKEN
    wanted = scenario.expected if scenario.better else on_ray.lines
    if on_callboard.code == 0 and on_callboard.lines == wanted:
        return Verdict.SAME if on_callboard.lines == on_ray.lines else Verdict.BETTER
    return Verdict.PLANNED if planned.intersection(scenario.numbers) else Verdict.DIFFERENT


def planned_numbers(readme: str) -> frozenset[str]:
    """Read from the README's table of features which behaviours are not there yet."""
    section = readme.partition("\n## What works\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    return frozenset(number for row in rows if row[2].startswith("planned") for number in numbers(row[0]))
