"""The worker that runs tasks. Its supervisor's fork server imports this when a task is to run for the first time.

RQ and redis-py take 10 MB, which each actor's worker would share from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callboard.worker._main import run
from callboard.worker._settings import TaskSettings
from callboard.worker._task_life import TaskLife

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]


def main(config: dict[str, Any]) -> NoReturn:
    """Be the worker for tasks that a configuration describes, until its end."""
    run(lambda: TaskLife(TaskSettings.parse(config)).live())
