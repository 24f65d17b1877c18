"""Wait for conditions."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wait_until"]

_INTERVAL: Final = 0.01

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], *, what: str, timeout: float) -> T:
    """Look until the predicate returns something true, and return that.

    Raises:
        TimeoutError: It did not become true within so many seconds.
    """
    never = threading.Event()
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        never.wait(_INTERVAL)
    return value
