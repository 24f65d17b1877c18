"""Trying again while nobody answers. Imported when that happens: tenacity takes a megabyte that few processes need."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import tenacity

from callboard_broker.errors import BrokerUnreachableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

T = TypeVar("T")


def until_answered(attempt: Callable[[], T], patience: float, leaving: threading.Event) -> T:
    """Try again, ever more seldom, and return what comes of it.

    Args:
        attempt: Fails with BrokerUnreachableError while nobody answers.
        patience: Seconds after which its error is raised.
        leaving: Set when it is not to be tried again any more.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(BrokerUnreachableError),
        stop=tenacity.stop_after_delay(patience) | tenacity.stop_when_event_set(leaving),
        sleep=tenacity.sleep_using_event(leaving),
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=1.0),
        reraise=True,
    )
    return attempts(attempt)
