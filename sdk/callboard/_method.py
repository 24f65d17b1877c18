"""``@method``: options of one method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from callboard._definition import MARK
from callboard._options import MethodOptions

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def method(**options: Any) -> Callable[[F], F]:
    """Set options of a method: ``max_task_retries``, ``num_returns``, ``concurrency_group``, ...

    Raises:
        ValueError: An option is unknown or has a bad value.
        TypeError: An option's value has the wrong type, or there is none.
    """
    if not options:
        raise TypeError("@method takes options by keyword, for example @method(max_task_retries=3)")
    MethodOptions.parse(options)

    def mark(function: F) -> F:
        setattr(function, MARK, options)
        return function

    return mark
