"""What the life of a worker asks of whatever runs its actor's calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from callboard.worker._calls import Desk
    from callboard.worker._mailbox import Mailbox
    from callboard.worker._replies import Replies
    from callboard.worker._watch import Watch
    from callboard_broker.envelope import Call
    from callboard_broker.packing import Command
    from callboard_broker.page import StatusPage


@dataclass(frozen=True, slots=True)
class Line:
    """The connections of an actor, and who works with them.

    Attributes:
        mailbox: Where calls come from.
        replies: Where outcomes go.
        desk: Opens and answers calls.
        page: Told what starts, before it starts.
        watch: Knows until when nobody can have taken this worker's place.
    """

    mailbox: Mailbox
    replies: Replies
    desk: Desk
    page: StatusPage
    watch: Watch


class Executor(Protocol):
    """Run an actor's calls until it ends."""

    @property
    def ending(self) -> list[Call]:
        """Return the calls that end with the actor: they asked for the end, or were cut short by it."""

    def serve(self) -> Call | None:
        """Serve until a call ends the actor; return that call, or None when it ends without one.

        Raises:
            BaseException: A way out of the actor, from a method or from the mailbox.
        """

    def terminate(self) -> None:
        """Leave because of SIGTERM; called by its handler, in the main thread.

        Raises:
            Terminated: Nothing of ours is half-done: what runs is interrupted.
        """

    def exit_asked(self) -> None:
        """Note that ``exit_actor()`` was called, in the thread that called it."""

    def current(self) -> Call | None:
        """Return the call that runs where this is called: in this thread, or in this task."""

    def is_cancelled(self, call: Call) -> bool:
        """Tell whether the caller of a call that runs has taken it back. For any thread."""

    def told(self, op: str, call: bytes, number: int) -> Command | None:
        """Take what a caller has to say about one of its calls; called by the watching thread.

        Returns:
            What is to be sent in answer.

        Args:
            op: ``cancel``: the call is not wanted any more; ``read``: items that it gave have been read.
            call: Its id.
            number: With ``cancel``, the call's number among those of its caller; with ``read``, how many items.
        """
