"""Locks on files that tell whether somebody lives who holds them: the kernel takes them away from the dead."""

from __future__ import annotations

import fcntl


def try_lock(file: int, *, alone: bool) -> bool:
    """Lock an open file, alone or with others who do not want it alone; tell whether that was possible at once."""
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def wait_for_lock(file: int) -> None:
    """Lock an open file alone, as soon as nobody else holds it."""
    fcntl.flock(file, fcntl.LOCK_EX)
