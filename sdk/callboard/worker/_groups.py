"""Concurrency groups: how many calls run at once, and which ones wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from callboard_broker.envelope import Call

#: Name of the group of calls that belong to no other.
DEFAULT_GROUP: Final = "_default"


class Group:
    """The calls of one concurrency group.

    Args:
        limit: How many run at once.
    """

    __slots__ = ("limit", "quick", "running", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        #: How many of these will be done at once, as far as is known.
        self.quick = 0
        self.waiting: deque[Call] = deque()


@dataclass(slots=True, eq=False)
class Running:
    """A call that runs.

    Attributes:
        call: Which.
        group: Whose room it takes.
        slot: What tells of it on the status page.
        since: When it was started, in monotonic nanoseconds.
        task: On an async actor.
        settling: Whether the user's code is done.
        quick: Whether it is counted as one that will be done at once.
        interrupted: Whether SIGTERM has interrupted it, whatever it made of that.
        leaving: Whether it has called ``exit_actor()``, even if it caught what that raised.
        twins: The same call, when it came again meanwhile.
    """

    call: Call
    group: Group
    slot: int
    since: int
    task: asyncio.Task[None] | None = None
    settling: bool = False
    quick: bool = False
    interrupted: bool = False
    leaving: bool = False
    twins: list[Call] = field(default_factory=list)
