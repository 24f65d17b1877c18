"""A serial actor: one call at a time, on the main thread, in the order of the mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard._definition import TERMINATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._calls import Desk, Runner
    from callboard.worker._mailbox import Mailbox
    from callboard_broker.envelope import Call
    from callboard_broker.page import StatusPage


class SerialExecutor:
    """Run an actor's calls one by one.

    Args:
        mailbox: Where calls come from.
        desk: Opens and answers them.
        runner: Runs them.
        page: Told what starts, before it starts.
        leaving: Tells whether the actor asked to leave in a way that no exception showed.
    """

    def __init__(
        self, mailbox: Mailbox, desk: Desk, runner: Runner, page: StatusPage, leaving: Callable[[], bool]
    ) -> None:
        self._mailbox = mailbox
        self._desk = desk
        self._runner = runner
        self._page = page
        self._leaving = leaving
        #: The call that runs, for whoever ends the actor in the middle of it.
        self.running: Call | None = None

    def serve(self) -> Call | None:
        """Serve until a call ends the actor; return that call, or None when it ends without one.

        Raises:
            BaseException: A way out of the actor, from a method or from the mailbox.
        """
        while True:
            for entry, flat in self._mailbox.read():
                call = self._desk.open(entry, flat)
                if call is None:
                    continue
                if call.method == TERMINATE:
                    return call
                if self._run(call, entry):
                    return call
            if self._leaving():
                return None

    def _run(self, call: Call, entry: bytes) -> bool:
        # What has finished must be on its way before anything starts that may take this process down.
        self._mailbox.flush()
        milliseconds, _, number = entry.partition(b"-")
        self._page.call_started(int(milliseconds), int(number), call.method.encode())
        self.running = call
        outcome = self._runner.run(call)
        self.running = None
        self._page.call_finished()
        if self._leaving():
            return True
        self._desk.answer(call, outcome)
        return False
