"""The way from a client to one actor: calls are numbered on it, and those wait on it whose arguments are pending."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._holding import Hold
    from callboard._ref import ObjectRef
    from callboard._result import Result
    from callboard._serde import Parcel


@dataclass(slots=True, eq=False)
class Outgoing:
    """A call that has been made and is not sent yet."""

    hold: Hold
    id: bytes
    method: bytes
    parcel: Parcel
    retries: int
    opts: bytes
    result: Result
    dependencies: Sequence[ObjectRef[Any]] = ()

    @property
    def ready(self) -> bool:
        """Tell whether every argument has its value."""
        return all(ref._result.done for ref in self.dependencies)  # noqa: SLF001


@dataclass(slots=True)
class Route:
    """The way to one actor.

    Attributes:
        ordered: Whether a call waits behind an earlier one whose arguments are pending.
        seq: How many calls went this way.
        unfinished: How many of them have no outcome yet; counted where there is a limit.
        waiting: Calls whose turn or whose arguments have not come.
    """

    ordered: bool
    seq: int = 0
    unfinished: int = 0
    waiting: deque[Outgoing] = field(default_factory=deque)

    def must_wait(self, outgoing: Outgoing) -> bool:
        """Tell whether a new call cannot be sent yet."""
        return bool(self.ordered and self.waiting) or not outgoing.ready

    def due(self) -> list[Outgoing]:
        """Take out the waiting calls that can be sent now."""
        found = []
        if self.ordered:
            while self.waiting and self.waiting[0].ready:
                found.append(self.waiting.popleft())
        else:
            found = [outgoing for outgoing in self.waiting if outgoing.ready]
            self.waiting = deque(outgoing for outgoing in self.waiting if outgoing not in found)
        return found

    def withdraw(self, result: Result) -> Outgoing | None:
        """Take out the waiting call that has a result, if it waits here."""
        found = next((outgoing for outgoing in self.waiting if outgoing.result is result), None)
        if found is not None:
            self.waiting.remove(found)
        return found

    def begun(self) -> None:
        """Count a call that has begun."""
        self.unfinished += 1

    def ended(self) -> None:
        """Count a call that has its outcome."""
        self.unfinished -= 1
