"""Plots of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from bench.catalogue import suite
from bench.figures import times_better
from bench.targets import OURS, TARGETS, Met, Ratio
from bench.workload import CALLS, P50, P99
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results import Results

_COLOURS: Final = {Met.YES: "#2a7f62", Met.NO: "#c0392b", Met.UNKNOWN: "#999999"}
_SIDES: Final = {"ray": ("Ray", "#8e9aaf"), OURS: ("callboard", "#2a7f62"), "floor": ("floor", "#d9b44a")}


def draw(name: str, results: Results, folder: Path) -> None:
    """Draw what a suite has plots for."""
    folder.mkdir(exist_ok=True)
    # Plots of the same figures are the same files.
    mpl.rcParams["svg.hashsalt"] = "callboard"
    for title, figure in _plots(name, results).items():
        figure.savefig(folder / f"{title}.svg", bbox_inches="tight", metadata={"Date": None})


def _plots(name: str, results: Results) -> dict[str, Figure]:
    if name == "speed":
        return {"speed-ratios": _ratios(results), "speed-latency": _latency(results)}
    return {"growth": _growth(results)} if name == "growth" else {}


def _ratios(results: Results) -> Figure:
    """Draw how many times faster than Ray callboard is, with the targets as marks."""
    targets = [
        target
        for target in TARGETS["speed"]
        if isinstance(target, Ratio) and target.than == "ray" and not target.their_metric
        if target.found(results) is not None
    ]
    figure = Figure(figsize=(9, 0.36 * len(targets) + 1))
    axes = figure.subplots()
    titles = [suite("speed")[target.workload].title for target in targets]
    found = [target.found(results) or 0 for target in targets]
    colours = [_COLOURS[target.judge(results).met] for target in targets]
    axes.barh(titles, found, color=colours)
    axes.plot([target.times for target in targets], titles, "k|", markersize=14, markeredgewidth=2, label="target")
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times faster, or smaller, than Ray; green: target met, red: not met")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


def _latency(results: Results) -> Figure:
    """Draw the median and the 99th percentile of calls that are made one at a time."""
    names = [name for name in ("sync/idle", "sync/busy", "sync/async", "echo/10KB", "named") if name in results.rounds]
    figure = Figure(figsize=(9, 4))
    axes = figure.subplots()
    width = 0.8 / len(_SIDES)
    for index, (side, (label, colour)) in enumerate(_SIDES.items()):
        for place, name in enumerate(names):
            half, most = results.spread(name, side, P50), results.spread(name, side, P99)
            if half and most:
                left = place + index * width
                axes.bar(left, half.median, width, color=colour, label=label if place == 0 else None)
                axes.vlines(left, half.median, most.median, color=colour)
                axes.plot(left, most.median, "_", color=colour, markersize=10)
    axes.set_xticks([place + width for place in range(len(names))])
    axes.set_xticklabels([suite("speed")[name].title for name in names], rotation=15, ha="right")
    axes.set_yscale("log")
    axes.set_ylabel("ms; bar: p50, line: up to p99")
    axes.legend()
    return figure


def _growth(results: Results) -> Figure:
    """Draw what a call costs beside what it costs where there is little of what grows."""
    figure = Figure(figsize=(9, 4.5))
    axes = figure.subplots()
    for group, points in _curves(results).items():
        (_, first), *_ = points
        costs = [times_better(CALLS, first, rate) for _, rate in points]
        axes.plot([size for size, _ in points], costs, "o-", label=_MEANINGS[group])
    axes.axhline(1.5, color="grey", linestyle="--", linewidth=1, label="target")
    axes.set_xscale("log")
    axes.set_xlabel("how many")
    axes.set_ylabel("cost of a call, beside that of the fewest")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


_MEANINGS: Final = {
    "waiting": "calls waiting",
    "live": "live actors, one is called",
    "clients": "clients",
    "holders": "holders of one handle",
}


def _curves(results: Results) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, Any]]] = {}
    for workload in results.rounds:
        group, _, size = workload.partition("/")
        spread = results.spread(workload, OURS, CALLS)
        if group in _MEANINGS and spread:
            found.setdefault(group, []).append((int(size), spread.median))
    return {group: sorted(points) for group, points in found.items()}
