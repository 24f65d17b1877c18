"""A serial actor: one call at a time, on the main thread, in the order of the mailbox."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from callboard._definition import TERMINATE
from callboard.worker._signals import Leaving

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._calls import Desk, Runner
    from callboard.worker._mailbox import Mailbox
    from callboard_broker.envelope import Call
    from callboard_broker.page import StatusPage

#: Nanoseconds from which a method counts as slow: outcomes before it do not wait for it.
_SLOW_NS: Final = 300_000


class SerialExecutor:
    """Run an actor's calls one by one.

    Args:
        mailbox: Where calls come from.
        desk: Opens and answers them.
        runner: Runs them.
        page: Told what starts, before it starts.
        leaving: Tells whether the actor has been asked to leave.
    """

    def __init__(
        self, mailbox: Mailbox, desk: Desk, runner: Runner, page: StatusPage, leaving: Callable[[], Leaving]
    ) -> None:
        self._mailbox = mailbox
        self._desk = desk
        self._runner = runner
        self._page = page
        self._leaving = leaving
        #: Methods that took long when they ran last.
        self._slow: set[str] = set()
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
                if not self._run(call, entry):
                    return call
                if self._leaving() is not Leaving.NO:
                    return None
            if self._leaving() is not Leaving.NO:
                return None

    def _run(self, call: Call, entry: bytes) -> bool:
        """Run and answer a call; tell whether it was not the one that ends the actor."""
        method = call.method
        # What has finished must outlive this process before anything starts that may take it down, and must not wait
        # for what is known to be slow.
        self._mailbox.secure(at_once=method in self._slow)
        dash = entry.find(b"-")
        began = time.monotonic_ns()
        self._page.call_started(int(entry[:dash]), int(entry[dash + 1 :]), method.encode())
        self.running = call
        if self._leaving() is Leaving.WITH_THE_CALL:
            # Told so since the last look; from here on being told interrupts the call.
            return False
        outcome = self._runner.run(call)
        self.running = None
        self._page.call_finished()
        if time.monotonic_ns() - began > _SLOW_NS:
            self._slow.add(method)
        elif self._slow:
            self._slow.discard(method)
        if self._leaving() is Leaving.WITH_THE_CALL:
            return False
        self._desk.answer(call, outcome)
        return True
