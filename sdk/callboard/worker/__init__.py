"""The worker: the process that is an actor. Its supervisor's fork server calls `main`."""

from __future__ import annotations

from callboard.worker._main import main
from callboard_broker import scripts

__all__ = ["main"]

# Imported by the fork server: what is read here is read once for all workers.
scripts.load_all()
