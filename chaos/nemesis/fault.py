"""What a fault is: something that strikes a theatre, lasts, and heals."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from chaos.theatre import Theatre

__all__ = ["Fault", "Strike"]

#: Strikes on entering, heals on leaving, and says how many it hit.
Strike: TypeAlias = Callable[[Theatre], AbstractContextManager[int]]


@dataclass(frozen=True)
class Fault:
    """Something that strikes.

    Attributes:
        name: What the report calls it.
        strike: Does it.
        lasts: Seconds for which it lasts, at least and at most.
    """

    name: str
    strike: Strike
    lasts: tuple[float, float] = (0.0, 0.0)
