"""The worker of an actor that runs several calls at once.

Its supervisor's fork server imports this when the first of them is to start: event loops take 3 MB, which the worker of
each serial actor would share from then on.
"""

from __future__ import annotations

from callboard.worker._asynchronous import AsyncExecutor
from callboard.worker._coroutines import CoroutineRunner
from callboard.worker._main import main

__all__ = ["AsyncExecutor", "CoroutineRunner", "main"]
