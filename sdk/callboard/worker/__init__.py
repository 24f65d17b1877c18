"""The worker: the process that is an actor. Its supervisor's fork server calls `main`."""

from __future__ import annotations

from callboard.worker._main import main

__all__ = ["main"]
