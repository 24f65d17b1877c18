"""The way from a client to one actor: calls are numbered on it, and those wait on it whose arguments are pending."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callboard.exceptions import PendingCallsLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._holding import Hold
    from callboard._inbox import Inbox
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

    def count(self, result: Result, limit: int, inbox: Inbox) -> None:
        """Count a call as unfinished until it has its outcome.

        Raises:
            PendingCallsLimitExceeded: There are as many as may be.
        """
        # What has come and has not been read does not count.
        if self.unfinished >= limit and not inbox.wait(lambda: self.unfinished < limit, time.monotonic()):
            raise PendingCallsLimitExceeded(
                f"the actor has {self.unfinished} unfinished calls of this process, and max_pending_calls={limit}: "
                "get or await some of them first"
            )
        self.unfinished += 1
        result.on_done(self._ended)

    def _ended(self) -> None:
        self.unfinished -= 1
