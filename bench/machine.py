"""What the machine is, without its name."""

from __future__ import annotations

import os
import platform
from typing import Final

import psutil

#: Percent of all cores; with less, the machine counts as quiet.
_QUIET: Final = 10.0
#: Seconds of one look.
_LOOK: Final = 0.1


def facts() -> dict[str, object]:
    """Return what figures depend on."""
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release().partition("-")[0],
        "architecture": platform.machine(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
    }


def busy(seconds: float = 1.0) -> float:
    """Return how many percent of the machine are used now."""
    return psutil.cpu_percent(seconds)


def settle(seconds: float) -> None:
    """Wait until nothing else runs, but no longer than so many seconds."""
    for _ in range(round(seconds / _LOOK)):
        if busy(_LOOK) < _QUIET:
            return
