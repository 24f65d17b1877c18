"""Telling whether references have an outcome by now, cheaply also when there are thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard._ref import ObjectRef


def all_of(missing: Sequence[ObjectRef[Any]]) -> Callable[[], bool]:
    """Return what tells whether all have an outcome; each is looked at only until it has, as there may be thousands."""
    position = 0

    def all_there() -> bool:
        nonlocal position
        while position < len(missing) and missing[position]._result.status is not None:  # noqa: SLF001
            position += 1
        return position == len(missing)

    return all_there


def some_of(missing: Sequence[ObjectRef[Any]], needed: int) -> Callable[[], bool]:
    """Return what tells whether so many have an outcome; those that had are not looked at again."""
    left, arrived = missing, 0

    def enough_there() -> bool:
        nonlocal left, arrived
        before = len(left)
        left = [ref for ref in left if ref._result.status is None]  # noqa: SLF001
        arrived += before - len(left)
        return arrived >= needed

    return enough_there
