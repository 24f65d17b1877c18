"""Wait for conditions, never for a time."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["asleep", "wait_until"]

#: Seconds between two looks: short beside what is waited for, long beside what a look costs.
INTERVAL = 0.01

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], *, what: str, timeout: float = 10.0) -> T:
    """Look until the predicate returns something true, and return that.

    It looks at least twice, the last time after the timeout, so a slow machine alone does not make it fail.

    Args:
        predicate: what to look at; its exceptions are not caught.
        what: what is waited for, as it should read after "timed out waiting for".
        timeout: seconds.

    Raises:
        AssertionError: it did not become true in time.
    """
    never = threading.Event()
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            if value := predicate():
                return value
            raise AssertionError(f"timed out after {timeout:g} s waiting for {what}; last seen: {value!r}")
        never.wait(INTERVAL)
    return value


def asleep(thread: threading.Thread) -> Callable[[], bool]:
    """Return what tells whether a thread waits in the kernel, if only for the interpreter's lock."""
    status = Path(f"/proc/self/task/{thread.native_id}/stat")
    return lambda: status.read_text().rpartition(")")[2].split()[0] == "S"
