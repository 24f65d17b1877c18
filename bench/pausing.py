"""Stopping whole sides while another is measured: what they do when idle is not to be charged to it.

Ray's daemons use some hundredths of a core and wake up all the time, which costs whoever is measured beside them more.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psutil


def pause(pid: int) -> None:
    """Stop a process and all that it has started, and those have."""
    stopped: set[int] = set()
    # Whoever was not stopped yet may have started another.
    while running := set(_family(pid)) - stopped:
        for each in running:
            _send(each, signal.SIGSTOP)
        stopped |= running


def resume(pid: int) -> None:
    """Let them go on; the youngest first, so that nobody waits for one that is still stopped."""
    for each in reversed(_family(pid)):
        _send(each, signal.SIGCONT)


def _family(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]
    return []


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
