"""Plots of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from bench.catalogue import suite
from bench.figures import times_better
from bench.targets import OURS, TARGETS, Met, Ratio
from bench.workload import CALLS, P50, P99
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

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
    # From "as fast as Ray" to the right, or to the left.
    axes.barh(titles, [times - 1 for times in found], left=1, color=colours)
    axes.plot([target.times for target in targets], titles, "k|", markersize=14, markeredgewidth=2, label="target")
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.set_xlabel("times faster, or smaller, than Ray; green: target met, red: not met")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


def _latency(results: Results) -> Figure:
    """Draw the median and the 99th percentile of calls that are made one at a time."""
    names = [name for name in ("sync/idle", "sync/busy", "sync/async", "echo/10KB", "named") if name in results.rounds]
    figure = Figure(figsize=(9, 4))
    axes = figure.subplots()
    width = 0.6 / len(_SIDES)
    for index, (side, (label, colour)) in enumerate(_SIDES.items()):
        found = [
            (place, results.spread(name, side, P50), results.spread(name, side, P99))
            for place, name in enumerate(names)
        ]
        points = [(place + index * width, half.median, most.median) for place, half, most in found if half and most]
        if points:
            places, halves, mosts = zip(*points, strict=True)
            axes.vlines(places, halves, mosts, color=colour, linewidth=2)
            axes.plot(places, halves, "o", color=colour, label=label)
            axes.plot(places, mosts, "_", color=colour, markersize=12, markeredgewidth=2)
    axes.set_xticks([place + width for place in range(len(names))])
    axes.set_xticklabels([suite("speed")[name].title for name in names], rotation=15, ha="right")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.grid(axis="y", which="both", alpha=0.3)
    axes.set_ylabel("ms; dot: p50, bar: p99")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
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
    axes.xaxis.set_major_formatter("{x:,.0f}")
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
