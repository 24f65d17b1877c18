"""The worker: the process that is an actor, or runs tasks. Its supervisor's fork server calls `main`."""

from __future__ import annotations

from typing import NoReturn

from callboard.worker._main import main

__all__ = ["main", "run_task"]


def run_task(task: str) -> NoReturn:
    """Refuse: what RQ is told to run for a task, by which a worker that is not callboard's says so.

    Raises:
        RuntimeError: Always.
    """
    raise RuntimeError(
        f"the job {task} is a task of callboard: it is run by the workers that callboard's supervisors start, not by "
        "those of RQ"
    )
