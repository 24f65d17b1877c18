"""Wall clocks that jump by minutes and by hours, ahead and back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from chaos.nemesis.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.nemesis.fault import Strike
    from chaos.theatre import Theatre

__all__ = ["JUMPS"]

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


def _jump(whose: str, direction: int) -> Strike:
    """Set a clock to another time, and right again: two jumps."""

    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        (clock, *_) = [clock for clock in theatre.clocks if clock.whose.startswith(whose)]
        far = theatre.chance.choice([theatre.chance.uniform(_MINUTE, _HOUR), theatre.chance.uniform(_HOUR, 30 * _HOUR)])
        clock.put_ahead(direction * far)
        try:
            yield 1
        finally:
            clock.put_ahead(0)

    return strike


JUMPS: Final = tuple(
    Fault(f"clock of {whose} {word}", _jump(whose, direction), (0.2, 2.0))
    for whose in ("server", "node", "callers")
    for word, direction in (("ahead", 1), ("back", -1))
)
