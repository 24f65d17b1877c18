"""Measure Ray, callboard and the floor in turn: ``python -m bench [--suite NAME] [--only GLOB] [--sides A,B]``."""

from __future__ import annotations

import argparse
import compileall
import fnmatch
import json
import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bench
from bench import machine, plots, report
from bench.catalogue import HERE, SUITES, suite
from bench.results import Results
from bench.side import Command
from bench.sides import SideFailedError, SideProcess, environment
from bench.stages import STAGES
from bench.workload import spinning
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import callboard
import callboard_broker
import callboard_supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.workload import Workload

_DOCS: Final = HERE.parent / "docs"
_WIDTH: Final = 200
#: Seconds that a side may take to prepare, and to measure beyond the time that it measures for.
_PATIENCE: Final = 180.0
#: Seconds that the machine gets to become quiet before a measurement.
_SETTLE: Final = 1.0


def _compile() -> None:
    """Compile what is measured, as an installation does, also where PYTHONDONTWRITEBYTECODE is set."""
    for package in (bench, callboard, callboard_broker, callboard_supervisor):
        for folder in package.__path__:
            compileall.compile_dir(folder, quiet=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--suite", action="append", choices=SUITES, help="what to measure [all]; may be repeated")
    parser.add_argument("--only", default="*", metavar="GLOB", help="workloads to measure, such as 'sync/*'")
    parser.add_argument("--sides", default=",".join(STAGES), help="[%(default)s]; aof is callboard with an AOF")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured [%(default)s]")
    parser.add_argument("--seconds", type=float, default=1.0, help="what one measurement takes [%(default)s]")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument("--draw", action="store_true", help="measure nothing: write the page from the last results")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write what was measured, as JSON")
    found = parser.parse_args()
    if found.quick:
        found.rounds, found.seconds = 1, 0.3
    unknown = set(found.sides.split(",")) - set(STAGES)
    if unknown:
        parser.error(f"no side is called {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    return found


class Run:
    """One suite, on some sides."""

    def __init__(self, sides: Mapping[str, SideProcess], rounds: int, seconds: float, progress: Progress) -> None:
        self._sides = sides
        self._rounds = rounds
        self._seconds = seconds
        self._progress = progress
        self.results = Results()

    def measure(self, workload: Workload) -> None:
        """Measure a workload on all sides that can do it: they start anew, prepare it, and then take turns."""
        names = [name for name in self._sides if name in workload.sides]
        task = self._progress.add_task(workload.name, total=len(names) * self._rounds)
        ready = [name for name in names if self._prepared(workload, name)]
        for turn in range(self._rounds):
            # No side is always the one that runs behind the same other.
            for name in ready if turn % 2 == 0 else reversed(ready):
                with self._sides[name].awake():
                    machine.settle(_SETTLE)
                    with spinning(workload.busy):
                        sample = self._ask(workload, name, Command("measure", seconds=self._seconds))
                self.results.add(workload.name, name, sample or {})
                self._progress.advance(task)
        # What one workload leaves, such as records of the dead or idle workers, is not the next one's burden.
        for name in names:
            self._sides[name].stop()
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"{workload.name}: measured on {', '.join(ready)}")

    def _prepared(self, workload: Workload, name: str) -> bool:
        with self._sides[name].awake():
            return self._ask(workload, name, Command("prepare", workload.name)) is not None

    def _ask(self, workload: Workload, name: str, command: Command) -> dict[str, float] | None:
        try:
            return self._sides[name].ask(command, _PATIENCE)
        except SideFailedError as error:
            self.results.fail(workload.name, name, str(error))
            self._progress.console.print(f"{workload.name} on {name}: {error}", markup=False, highlight=False)
            return None


def _run(name: str, options: argparse.Namespace, console: Console) -> Results:
    chosen = [suite(name)[each] for each in report.in_order(name) if fnmatch.fnmatch(each, options.only)]
    wanted = [side for side in options.sides.split(",") if any(side in workload.sides for workload in chosen)]
    columns = (TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    before = machine.busy()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        sides = {side: SideProcess(side, folder / f"{side}.log", environment()) for side in wanted}
        for side in sides.values():
            stack.callback(side.stop)
        progress = stack.enter_context(Progress(*columns, console=console))
        run = Run(sides, options.rounds, options.seconds, progress)
        for workload in chosen:
            run.measure(workload)
        versions = {name: text for side in sides.values() for name, text in side.versions.items()}
    run.results.facts = {
        "versions": {"python": platform.python_version(), **versions},
        "machine": {
            **machine.facts(),
            "busy_before": before,
            "busy_after": machine.busy(),
            "load_after": [round(load, 2) for load in os.getloadavg()],
        },
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    return run.results


def main() -> None:
    """Measure, show, and write what was measured in full into the results and the documentation."""
    options = _arguments()
    _compile()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    whole = options.only == "*" and set(options.sides.split(",")) == set(STAGES) and not options.quick
    for name in options.suite or SUITES:
        stored = HERE / "results" / f"{callboard.__version__}-{name}.json"
        if options.draw:
            results = Results.from_json(json.loads(stored.read_text(encoding="utf-8")))
        else:
            results = _run(name, options, console)
        report.show(console, name, results)
        if whole and not options.draw:
            _store(stored, results)
        if whole:
            _publish(name, results)
        if options.output:
            _store(options.output, results)


def _publish(name: str, results: Results) -> None:
    page = _DOCS / "performance.md"
    text = report.between(page.read_text(encoding="utf-8"), name, report.page(name, results))
    page.write_text(text, encoding="utf-8")
    plots.draw(name, results, _DOCS / "images")


def _store(path: Path, results: Results) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results.as_json(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
