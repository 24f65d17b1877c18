"""Wall clocks that jump by seconds and by hours, ahead and back, or run too fast or too slowly."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from chaos.nemesis.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random
    from typing import TypeAlias

    from chaos.nemesis.fault import Strike
    from chaos.theatre import Theatre

    #: Chooses what a clock is set to.
    _Setting: TypeAlias = Callable[[Random], dict[str, float]]

__all__ = ["ASTRAY"]

_SECONDS: Final = 10.0
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


#: Of one's own speed.
_DRIFT: Final = 0.1


def _jump(direction: int) -> _Setting:
    """Set a clock to another time."""

    def far(chance: Random) -> dict[str, float]:
        spans = [(_SECONDS, _MINUTE), (_MINUTE, _HOUR), (_HOUR, 30 * _HOUR)]
        return {"ahead": direction * chance.uniform(*chance.choice(spans))}

    return far


def _drift(direction: int) -> _Setting:
    """Have a clock run too fast or too slowly, as if it had since its users were started."""
    return lambda _: {"speed": 1 + direction * _DRIFT}


def _wrong(whose: str, setting: _Setting) -> Strike:
    """Set somebody's clock wrong, and right again."""

    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        (clock, *_) = [clock for clock in theatre.clocks if clock.whose.startswith(whose)]
        clock.set(**setting(theatre.chance))
        try:
            yield 1
        finally:
            clock.set()

    return strike


_WRONG: Final = {"ahead": _jump(1), "back": _jump(-1), "too fast": _drift(1), "too slow": _drift(-1)}

ASTRAY: Final = tuple(
    Fault(f"clock of {whose} {how}", _wrong(whose, setting), (0.2, 2.0))
    for whose in ("server", "node", "callers")
    for how, setting in _WRONG.items()
)
