"""A serial actor: one call at a time, on the main thread, in the order of the mailbox."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from callboard.worker._signals import Leaving, Terminated
from callboard_broker.envelope import TERMINATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._calls import Desk
    from callboard.worker._mailbox import Mailbox
    from callboard.worker._runner import Runner
    from callboard.worker._watch import Watch
    from callboard_broker.envelope import Call, Outcome
    from callboard_broker.packing import Command
    from callboard_broker.page import StatusPage

#: Nanoseconds from which a method counts as slow: outcomes before it do not wait for it.
_SLOW_NS: Final = 300_000


class SerialExecutor:
    """Run an actor's calls one by one.

    Args:
        mailbox: Where calls come from, and where their outcomes go.
        desk: Opens and answers them.
        runner: Runs them.
        page: Told what starts, before it starts.
        watch: Knows until when nobody can have taken this worker's place.
        seal: Seals the mailbox, which ends the wait for calls.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        desk: Desk,
        runner: Runner,
        page: StatusPage,
        watch: Watch,
        seal: Callable[[], None],
    ) -> None:
        self._mailbox = mailbox
        self._desk = desk
        self._runner = runner
        self._page = page
        self._watch = watch
        self._seal = seal
        self._leaving = Leaving.NO
        #: Methods that took long when they ran last.
        self._slow: set[str] = set()
        self._running: Call | None = None
        runner.give = self._give
        mailbox.unwanted = runner.streams.unwanted

    @property
    def ending(self) -> list[Call]:
        """Return the call that runs."""
        return [self._running] if self._running else []

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
                if self._leaving is not Leaving.NO:
                    return None
            if self._leaving is not Leaving.NO:
                return None

    def terminate(self) -> None:
        """Leave because of SIGTERM.

        Only where nothing of ours is half-done: in a call, or waiting for one. Elsewhere it is looked for before the
        next of these.

        Raises:
            Terminated: What runs is interrupted.
        """
        self._leaving = Leaving.WITH_THE_CALL
        if self._running is not None or self._mailbox.waiting:
            raise Terminated
        self._mailbox.hurry()

    def exit_asked(self) -> None:
        """Note that ``exit_actor()`` was called: by the call that runs, or by a thread beside it."""
        if threading.current_thread() is threading.main_thread():
            self._leaving = Leaving.WITH_THE_CALL
        else:
            if self._leaving is Leaving.NO:
                self._leaving = Leaving.AFTER_THE_CALL
            self._seal()

    def current(self) -> Call | None:
        """Return the call that runs, in the main thread."""
        return self._running if threading.current_thread() is threading.main_thread() else None

    def is_cancelled(self, call: Call) -> bool:
        """Tell whether the caller of a call that runs has taken it back. For any thread."""
        return self._desk.is_cancelled(call)

    def told(self, op: str, call: bytes, number: int) -> Command | None:
        """Take what a caller has to say about one of its calls; called by the watching thread."""
        self._runner.streams.told(op, call, number)
        return self._desk.cancel(call, number) if op == "cancel" else None

    def _give(self, call: Call, item: Outcome) -> None:
        self._desk.give(call, item)
        self._mailbox.flush()

    def _leaves_with_the_call(self) -> bool:
        return self._leaving is Leaving.WITH_THE_CALL

    def _run(self, call: Call, entry: bytes) -> bool:
        """Run and answer a call; tell whether it was not the one that ends the actor."""
        method = call.method
        # What has finished must outlive this process before anything starts that may take it down, and must not wait
        # for what is known to be slow.
        self._mailbox.secure(at_once=method in self._slow)
        if self._desk.cancelled and not self._desk.open_still(call):
            return True
        began = time.monotonic_ns()
        if began > self._watch.certain_until:
            # Stopped for long, perhaps: another may run this call by now.
            self._mailbox.confirm()
        self._page.call_started(entry, began, method.encode())
        self._running = call
        if self._leaves_with_the_call():
            # Told so since the last look; from here on being told interrupts the call.
            return False
        outcome = self._runner.run(call)
        self._running = None
        self._page.call_finished()
        if time.monotonic_ns() - began > _SLOW_NS:
            self._slow.add(method)
        elif self._slow:
            self._slow.discard(method)
        if self._leaves_with_the_call():
            return False
        self._desk.answer(call, outcome)
        return True
