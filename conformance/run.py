"""Compare callboard with Ray: ``python -m conformance.run [--only GLOB] [--jobs N]``."""

from __future__ import annotations

import argparse
import fnmatch
import json
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from conformance import report
from conformance.judge import FAILURES, Run, judge, planned_numbers
from conformance.scenario import Scenario, find
from conformance.stages import HERE, callboard_stage, ray_stage
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import callboard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.stages import Stage

ROOT: Final = HERE.parent
PAGE: Final = ROOT / "docs" / "conformance.md"
RAY_PYTHON: Final = ROOT / ".venv-ray" / "bin" / "python"
_WIDTH: Final = 120


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="*", metavar="GLOB", help="scenarios to run, such as 'kill/*'")
    parser.add_argument("--jobs", type=int, default=2, help="programs that run on callboard at once; on Ray it is one")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="what one program may take")
    parser.add_argument("--reuse", action="store_true", help="run on Ray only what has changed since the last time")
    return parser.parse_args()


class Memory:
    """What programs printed on Ray, by their text, in the virtual environment that has Ray."""

    def __init__(self, *, use: bool) -> None:
        self._path = RAY_PYTHON.parents[1] / "runs.json"
        self._runs: dict[str, dict[str, object]] = {}
        if use and self._path.exists():
            self._runs = json.loads(self._path.read_text(encoding="utf-8"))

    def recall(self, scenario: Scenario) -> Run | None:
        """Return the run of a program that ended well, if its text is still the same."""
        found = self._runs.get(self._key(scenario))
        return Run(tuple(found["lines"])) if found else None  # type: ignore[arg-type]  # as `keep` wrote it

    def keep(self, scenario: Scenario, run: Run) -> None:
        """Keep a run that ended well."""
        if run.code == 0:
            self._runs[self._key(scenario)] = asdict(run)

    def save(self) -> None:
        """Write all runs."""
        self._path.write_text(json.dumps(self._runs), encoding="utf-8")

    @staticmethod
    def _key(scenario: Scenario) -> str:
        return sha256(scenario.path.read_bytes() + (HERE / "support" / "stagehand.py").read_bytes()).hexdigest()


def _run_all(stage: Stage, scenarios: Sequence[Scenario], jobs: int, seconds: float, bar: Bar) -> list[Run]:
    def run(scenario: Scenario) -> Run:
        found = stage.run(scenario, seconds)
        bar.step(scenario)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(run, scenarios))


class Bar:
    """Progress: a bar on a terminal, lines elsewhere."""

    def __init__(self, progress: Progress, what: str, number: int) -> None:
        self._progress = progress
        self._what = what
        self._task = progress.add_task(what, total=number)

    def step(self, scenario: Scenario) -> None:
        """Say that one more is done."""
        self._progress.advance(self._task)
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"{self._what}: {scenario.id}")


def _compare(chosen: Sequence[Scenario], options: argparse.Namespace, console: Console) -> list[report.Row]:
    memory = Memory(use=options.reuse)
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    runs = {scenario.id: run for scenario in chosen if (run := memory.recall(scenario))}
    fresh = [scenario for scenario in chosen if scenario.id not in runs]
    with Progress(*columns, console=console) as progress:
        if fresh:
            bar = Bar(progress, "Ray", len(fresh))
            with ray_stage(RAY_PYTHON) as stage:
                found = _run_all(stage, fresh, 1, options.timeout, bar)
            for scenario, run in zip(fresh, found, strict=True):
                runs[scenario.id] = run
                memory.keep(scenario, run)
            memory.save()
        bar = Bar(progress, "callboard", len(chosen))
        with callboard_stage() as stage:
            ours = _run_all(stage, chosen, options.jobs, options.timeout, bar)
    planned = planned_numbers((ROOT / "README.md").read_text(encoding="utf-8"))
    return [
        report.Row(scenario, runs[scenario.id], run, judge(scenario, runs[scenario.id], run, planned))
        for scenario, run in zip(chosen, ours, strict=True)
    ]


def _versions() -> dict[str, str]:
    asked = "import ray; print(ray.__version__)"
    ray = subprocess.run([RAY_PYTHON, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own environment
    return {"Ray": ray, "callboard": callboard.__version__, "Python": platform.python_version()}


def main() -> int:
    """Run, show and write; return 1 if a difference has no explanation."""
    options = _arguments()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    everything = [Scenario.read(path) for folder in ("scenarios", "programs") for path in find(HERE / folder)]
    chosen = [scenario for scenario in everything if fnmatch.fnmatch(scenario.id, options.only)]
    if not chosen:
        console.print(f"no scenario is called {options.only!r}")
        return 1
    rows = _compare(chosen, options, console)
    report.show(console, rows)
    if chosen == everything:
        PAGE.write_text(report.page(rows, _versions()), encoding="utf-8")
        console.print(f"written to {PAGE.relative_to(ROOT)}")
    return int(any(row.verdict in FAILURES for row in rows))


if __name__ == "__main__":
    sys.exit(main())
