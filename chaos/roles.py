"""The actors of a chaos run, and on which terms they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chaos.checker import ONCE, ORDERED, RETRIED

__all__ = ["NAMESPACE", "ROLES", "Role"]

NAMESPACE: Final = "chaos"


@dataclass(frozen=True)
class Role:
    """One actor: it is restarted for ever.

    Attributes:
        name: Of the actor.
        retries: How often a call that had started is run again; -1 for ever.
        concurrency: How many calls it runs at a time.
    """

    name: str
    retries: int = -1
    concurrency: int = 1

    @property
    def terms(self) -> str:
        """Return the terms of its calls, in words that the checker knows."""
        return f"{RETRIED if self.retries else ONCE}{' ' + ORDERED if self.concurrency == 1 else ''}"


ROLES: Final = (Role("first"), Role("second"), Role("once", retries=0), Role("threaded", concurrency=3))
