"""Tables of figures and targets, for the terminal and for the page of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.catalogue import suite
from bench.figures import number, times_better
from bench.targets import OURS, TARGETS, Judged, Met
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.results import Results
    from rich.console import Console

_HEADINGS: Final = {
    "ray": "Ray",
    "callboard": "callboard",
    "aof": "callboard, AOF everysec",
    "floor": "floor",
    "rq": "plain RQ",
    "dask": "dask actor",
    "xoscar": "xoscar actor",
}
_STYLES: Final = {Met.YES: "green", Met.NO: "bold red", Met.UNKNOWN: "yellow"}


def figures(name: str, results: Results) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of the table of figures: medians, and the least and the most of all rounds."""
    workloads = suite(name)
    sides = [side for side in _HEADINGS if any(side in found for found in results.rounds.values())]
    against = [side for side in ("ray", "floor") if side in sides]
    heads = ["workload", "unit", *(_HEADINGS[side] for side in sides), *(f"x {_HEADINGS[side]}" for side in against)]
    rows = []
    for workload in in_order(name):
        if workload not in results.rounds:
            continue
        for metric in results.metrics(workload):
            spreads = [results.spread(workload, side, metric) for side in sides]
            rows.append(
                [
                    workloads[workload].title,
                    metric,
                    *(str(spread) if spread else "" for spread in spreads),
                    *(_times(results, workload, metric, side) for side in against),
                ]
            )
    return heads, rows


def in_order(name: str) -> list[str]:
    """Return the workloads of a suite in the order of its targets; those that have none come last."""
    targeted = [each for target in TARGETS[name] for each in target.workloads]
    return list(dict.fromkeys([*targeted, *sorted(suite(name))]))


def judged(name: str, results: Results) -> list[Judged]:
    """Judge all targets of a suite, those that were not measured included."""
    return [target.judge(results) for target in TARGETS[name]]


def show(console: Console, name: str, results: Results) -> None:
    """Print all tables and what failed."""
    heads, rows = figures(name, results)
    table = Table(*heads, title=f"{name}: median (least..most)", title_justify="left")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    table = Table("workload", "compared", "found", "target", "", title="Targets", title_justify="left")
    for found in judged(name, results):
        if found.workload in results.rounds or found.workload in results.errors:
            table.add_row(*map(escape, _cells(found)), f"[{_STYLES[found.met]}]{found.met}[/]")
    console.print(table)
    console.print("\n".join(_failures(results)), markup=False, highlight=False)


def page(name: str, results: Results) -> str:
    """Write the same for the documentation."""
    facts = results.facts
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    machine = facts["machine"]
    heads, rows = figures(name, results)
    targets = [[*_cells(found), str(found.met)] for found in judged(name, results)]
    work = (
        f"{facts['rounds']} rounds of {facts['seconds']:g} s: median (least..most). {machine['cores']} cores, "
        f"{machine['system']} {machine['architecture']}, {machine['memory_gb']:g} GB; {versions}. Other work took "
        f"{machine['busy_before']:.0f} % of the machine before, {machine['busy_after']:.0f} % after."
    )
    failed = ["", "What failed:", "", "```", *_failures(results), "```"] if any(results.errors.values()) else []
    heading = ["workload", "compared", "found", "target", ""]
    return "\n".join([work, "", *_markdown(heads, rows), "", *_markdown(heading, targets), *failed])


def between(page: str, name: str, text: str) -> str:
    """Put a text between the marks of a suite.

    Raises:
        ValueError: The page has not both marks.
    """
    begin, end = f"<!-- {name}: written by make bench -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page needs the lines {begin!r} and {end!r}, in this order")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def _times(results: Results, workload: str, metric: str, side: str) -> str:
    ours, theirs = results.spread(workload, OURS, metric), results.spread(workload, side, metric)
    return number(times_better(metric, ours.median, theirs.median)) if ours and theirs else ""


def _cells(found: Judged) -> list[str]:
    return [found.workload, found.what, found.found, found.wanted]


def _failures(results: Results) -> Iterator[str]:
    for workload, sides in results.errors.items():
        for side, error in sides.items():
            yield f"{workload} on {side}: {error}"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
