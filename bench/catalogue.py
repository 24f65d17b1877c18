"""The workloads that there are: each file of a suite's folder has some."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bench.workload import Workload

HERE: Final = Path(__file__).parent
#: What is measured at a time, with a page of results of its own each.
SUITES: Final = ("speed", "growth", "pressure")


@cache
def suite(name: str) -> dict[str, Workload]:
    """Find the workloads of a suite by their names.

    Raises:
        ValueError: Two have the same name.
    """
    found: dict[str, Workload] = {}
    for path in sorted((HERE / name).glob("*.py")):
        for workload in import_module(f"bench.{name}.{path.stem}").WORKLOADS:
            if workload.name in found:
                raise ValueError(f"two workloads are called {workload.name!r}; one of them is in {path.name}")
            found[workload.name] = workload
    return found


def workloads() -> dict[str, Workload]:
    """Find the workloads of all suites by their names."""
    return {name: workload for each in SUITES for name, workload in suite(each).items()}
