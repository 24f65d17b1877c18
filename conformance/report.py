"""What is shown of all verdicts: a table on the terminal, and a page of the documentation."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conformance.judge import FAILURES, Run, Verdict
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.scenario import Scenario
    from rich.console import Console

_STYLES: Final = {
    Verdict.SAME: "green",
    Verdict.BETTER: "bold green",
    Verdict.PLANNED: "yellow",
    Verdict.DIFFERENT: "bold red",
    Verdict.BROKEN: "bold red",
}
_MEANINGS: Final = {
    Verdict.SAME: "both print the same",
    Verdict.BETTER: "callboard prints what it promises beyond Ray, checked line by line",
    Verdict.PLANNED: "callboard does not have this yet",
    Verdict.DIFFERENT: "nobody has explained the difference",
    Verdict.BROKEN: "the program fails on Ray, and shows nothing",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario with both runs and what they mean."""

    scenario: Scenario
    on_ray: Run
    on_callboard: Run
    verdict: Verdict


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the table, and both outputs of what is not explained."""
    table = Table("scenario", "what is tried", "numbers", "verdict", title="Conformance", title_justify="left")
    for row in rows:
        found = row.scenario
        table.add_row(
            found.id, escape(found.title), " ".join(found.numbers), f"[{_STYLES[row.verdict]}]{_said(row)}[/]"
        )
    console.print(table)
    for row in rows:
        if row.verdict in FAILURES:
            console.print(f"\n[bold]{row.scenario.id}[/]: {_MEANINGS[row.verdict]}")
            console.print("\n".join(_difference(row)), markup=False, highlight=False)
    console.print("\n" + _total(rows))


def page(rows: Sequence[Row], versions: Mapping[str, str]) -> str:
    """Write the page; it has nothing in it that differs between two runs with the same outcomes."""
    lines = [
        "# Conformance with Ray",
        "",
        "Written by `make conformance`, which runs small programs on Ray and, with only their import lines changed,",
        "on callboard, and compares what they print. The programs are in [conformance/](../conformance); numbers are",
        "those of [the README](../README.md#what-works).",
        "",
        f"With {', '.join(f'{name} {version}' for name, version in versions.items())}: {_total(rows)}",
        "",
        "| verdict | |",
        "|---|---|",
        *(f"| {verdict} | {meaning} |" for verdict, meaning in _MEANINGS.items()),
    ]
    for group in sorted({row.scenario.group for row in rows}):
        lines += [
            "",
            f"## {group.capitalize()}",
            "",
            "| scenario | what is tried | numbers | verdict |",
            "|---|---|---|---|",
        ]
        lines += [_line(row) for row in rows if row.scenario.group == group]
    more = [row.scenario for row in rows if row.verdict is Verdict.BETTER]
    if more:
        lines += ["", "## What is better", ""]
        lines += [f"- **{found.better}** `{found.id}`: {found.why}" for found in more]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    found = row.scenario
    title = found.title.replace("|", "\\|")
    return f"| `{found.name}` | {title} | {', '.join(found.numbers)} | {_said(row)} |"


def _said(row: Row) -> str:
    return f"{row.verdict} ({row.scenario.better})" if row.verdict is Verdict.BETTER else str(row.verdict)


def _total(rows: Sequence[Row]) -> str:
    counts = Counter(row.verdict for row in rows)
    return f"{len(rows)} scenarios, " + ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]
    )


def _difference(row: Row) -> Iterator[str]:
    found = row.scenario
    wanted = found.expected if found.better and row.on_ray.code == 0 else row.on_ray.lines
    yield from difflib.unified_diff(
        wanted, row.on_callboard.lines, "expected" if found.better else "ray", "callboard", lineterm="", n=99
    )
    for name, run in (("ray", row.on_ray), ("callboard", row.on_callboard)):
        if run.code != 0:
            ended = "did not end in time" if run.code is None else f"ended with {run.code}"
            yield f"{name}: {ended}\n{run.errors}"
