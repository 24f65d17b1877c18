"""What threaded and async actors have in common: several calls at once, in groups.

The main thread runs an event loop, which reads the mailbox and lets calls begin as their groups allow. Where calls run
and how their outcomes leave is what the two kinds differ in. Calls begin in the order of the mailbox within each group,
and may overtake each other from there on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from callboard.worker._groups import DEFAULT_GROUP, Group, Running
from callboard.worker._signals import ActorExit, Departure, Terminated
from callboard_broker.envelope import TERMINATE
from callboard_broker.errors import BrokerUnreachableError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping

    from callboard._definition import ClassInfo
    from callboard.worker._executor import Line
    from callboard.worker._runner import Runner
    from callboard_broker.envelope import Call, Outcome
    from callboard_broker.packing import Command
    from callboard_broker.wire import Reply, Wire

#: Seconds after which the answers to commits are read; until then the journal keeps what they settle.
COLLECT: Final = 0.02
#: Calls that may wait in this process; what comes after them waits in the mailbox.
_IN_HAND: Final = 10_000
#: Seconds between two looks at whether the server has fallen silent.
_LISTEN: Final = 5.0

#: What this thread or task runs.
running_here: ContextVar[Running | None] = ContextVar("callboard_call", default=None)


class ConcurrentExecutor(ABC):
    """Run an actor's calls, several at once.

    All of it belongs to whoever holds the lock, which no user code runs under. Only the loop listens to the mailbox.

    Args:
        line: Where calls come from and outcomes go.
        runner: Runs them.
        info: The actor's class: which method is in which group.
        limits: How many run at once, for each group.
        loop: The event loop, which may have run the constructor.
    """

    def __init__(
        self, line: Line, runner: Runner, info: ClassInfo, limits: Mapping[str, int], loop: asyncio.Runner
    ) -> None:
        self._mailbox, self._replies, self._desk, self._page = line.mailbox, line.replies, line.desk, line.page
        self._watch = line.watch
        self._runner = runner
        self._group_of = {name: method.options.get("concurrency_group") for name, method in info.methods.items()}
        self._groups = {name: Group(limit) for name, limit in limits.items()}
        self._asyncio = loop
        self._loop = loop.get_loop()
        self._lock = threading.RLock()
        self._running: dict[bytes, Running] = {}
        self._in_hand = 0
        self._listening: tuple[Wire | None, int] = (None, -1)
        self._asked = False
        self._collecting = False
        self._terminator: Call | None = None
        self._way_out: BaseException | None = None
        self._over = False
        self._ended: asyncio.Future[BaseException | None] = self._loop.create_future()
        self._ending: list[Call] = []
        runner.give = self._give
        line.replies.unwanted = runner.streams.unwanted

    @property
    def ending(self) -> list[Call]:
        """Return the calls that asked for the end."""
        return self._ending

    def serve(self) -> Call | None:
        """Serve until a call ends the actor; return that call, or None when it ends without one.

        Raises:
            BaseException: A way out of the actor, from a method or from the mailbox.
        """
        way_out = self._asyncio.run(self._serve())
        if way_out is not None:
            raise way_out
        return self._terminator

    def terminate(self) -> None:
        """Leave because of SIGTERM; threads are left behind.

        Raises:
            Terminated: In the user's code, where it can be interrupted.
        """
        # A signal handler may not wait for the lock.
        self._loop.call_soon_threadsafe(self._end, Terminated())

    def exit_asked(self) -> None:
        """Note that ``exit_actor()`` was called: calls that have started finish, no other starts."""
        running = running_here.get()
        if running is not None:
            running.leaving = True
        with self._lock:
            self._leave(ActorExit("exit_actor() was called"))

    def current(self) -> Call | None:
        """Return the call that runs in this thread or task."""
        running = running_here.get()
        return running.call if running else None

    def is_cancelled(self, call: Call) -> bool:
        """Tell whether the caller of a call that runs has taken it back. For any thread."""
        with self._lock:
            return self._desk.is_cancelled(call)

    def told(self, op: str, call: bytes, number: int) -> Command | None:
        """Take what a caller has to say about one of its calls; called by the watching thread."""
        heard = self._desk.cancel(call, number) if op == "cancel" else None
        with contextlib.suppress(RuntimeError):  # the loop is closed: the actor has ended
            self._loop.call_soon_threadsafe(self._heed, op, call, number)
        return heard

    @abstractmethod
    def _begin(self, running: Running) -> None:
        """Begin to run a call, which then comes to `_answer` and `_stopped`, or to `_departed`."""

    @abstractmethod
    def _send_soon(self) -> None:
        """Have what is collected sent."""

    @abstractmethod
    def _collect_later(self) -> None:
        """Have `_collect` run by the loop in `COLLECT` seconds."""

    async def _serve(self) -> BaseException | None:
        try:
            self._ask()
            self._look_for_silence()
            return await self._ended
        finally:
            self._over = True
            self._loop.remove_reader(self._listening[1])

    # Reading, in callbacks of the loop.

    def _read(self) -> None:
        with self._lock, self._departures():
            if self._mailbox.connection is self._listening[0]:
                self._asked = False
                self._take(self._mailbox.take_calls())
        # After what has come, so that the outcome of a lone call is on its way before more is asked for.
        self._loop.call_soon(self._ask)

    def _take(self, found: list[tuple[bytes, list[Reply] | None]]) -> None:
        for entry, flat in found:
            call = self._desk.open(entry, flat)
            if call is not None and self._terminator is None:
                self._admit(call)
        if self._replies.unsent:
            # Of calls that were refused, or came again.
            self._send_soon()

    def _ask(self) -> None:
        with self._lock, self._departures():
            if self._wants_more():
                self._mailbox.ask_for_calls()
                self._asked = True
            if self._mailbox.connection is not self._listening[0]:
                self._loop.call_soon_threadsafe(self._listen)

    def _wants_more(self) -> bool:
        return not self._asked and self._in_hand < _IN_HAND and self._terminator is None and self._way_out is None

    def _look_for_silence(self) -> None:
        for wire in (self._mailbox.connection, self._replies.connection):
            # One that is given up is readable, and whoever reads it takes over.
            with contextlib.suppress(BrokerUnreachableError):
                wire.check_silence()
        self._loop.call_later(_LISTEN, self._look_for_silence)

    def _listen(self) -> None:
        with self._lock:
            wire = self._mailbox.connection
            known, number = self._listening
            if known is not wire and not self._over:
                # A closed connection's number may be that of the new one by now.
                if known is not None:
                    self._loop.remove_reader(number)
                self._loop.add_reader(wire.fileno(), self._read)
                self._listening = wire, wire.fileno()

    def _heed(self, op: str, call: bytes, number: int) -> None:
        self._runner.streams.told(op, call, number)
        running = self._running.get(call)
        if op == "cancel" and running is not None and running.task is not None:
            running.task.cancel()

    # Starting.

    def _admit(self, call: Call) -> None:
        if call.method == TERMINATE:
            self._terminator = call
            self._look_for_the_end()
            return
        name = call.option("group") or self._group_of.get(call.method) or DEFAULT_GROUP
        group = self._groups.get(name)
        if group is None:
            known = ", ".join(sorted(set(self._groups) - {DEFAULT_GROUP})) or "none"
            told = ValueError(f"{call.method} was called in the concurrency group {name!r}; the actor's are: {known}")
            self._desk.answer(call, self._runner.failed(call, told))
            self._send_soon()
            return
        self._in_hand += 1
        group.waiting.append(call)
        self._fill(group)

    def _fill(self, group: Group) -> None:
        while (running := self._next(group)) is not None:
            self._begin(running)
        self._look_for_the_end()

    def _next(self, group: Group) -> Running | None:
        """Return the next call of a group, which is noted as started; None when none may start."""
        while group.waiting and group.running < group.limit and self._way_out is None and not self._over:
            since = time.monotonic_ns()
            if since > self._watch.certain_until and not self._stands():
                return None
            self._in_hand -= 1
            call = group.waiting.popleft()
            twin = self._running.get(call.id)
            if not self._desk.open_still(call):
                self._repeat(call)
            elif twin is not None:
                twin.twins.append(call)
            else:
                milliseconds, _, number = call.entry.partition(b"-")
                slot = self._page.slot_claim((int(milliseconds), int(number)), call.method.encode())
                running = self._running[call.id] = Running(call, group, slot, since)
                group.running += 1
                return running
        return None

    def _stands(self) -> bool:
        """Tell whether this still is the present incarnation: it was stopped for long, perhaps."""
        with self._departures():
            self._replies.confirm()
            return True
        return False

    def _repeat(self, call: Call) -> None:
        """Settle a call that was cancelled, or came again, while it waited."""
        with self._departures():
            again = self._desk.repeated(call)
            if again is not None:
                self._admit(again)
        self._send_soon()

    # Answering.

    def _answer(self, running: Running, outcome: Outcome) -> None:
        """Answer a call that has run, unless it ends the actor."""
        if running.leaving:
            self._ending.append(running.call)
        else:
            self._desk.answer(running.call, outcome)

    def _stopped(self, running: Running) -> None:
        """Give back the room of a call that has run.

        Its outcome stands in the journal by now: it has run, whatever ends the process from here on.
        """
        del self._running[running.call.id]
        self._page.slot_free(running.slot)
        running.group.running -= 1
        for twin in running.twins:
            self._repeat(twin)

    def _departed(self, running: Running, way_out: BaseException) -> None:
        with self._lock:
            if self._over:
                return
            self._ending.append(running.call)
            if isinstance(way_out, ActorExit) or (isinstance(way_out, SystemExit) and not way_out.code):
                self._leave(way_out)
                self._stopped(running)
                self._look_for_the_end()
            else:
                self._end(way_out)

    def _give(self, call: Call, item: Outcome) -> None:
        with self._lock, self._departures():
            if not self._over:
                self._desk.give(call, item)
                self._send_soon()

    def _send(self) -> None:
        with self._departures():
            # Once it is over, the main thread uses the connection without the lock.
            if not self._over:
                self._replies.flush()
                self._collect_soon()

    def _collect(self) -> None:
        with self._lock, self._departures():
            self._collecting = False
            self._replies.collect()
            self._collect_soon()

    def _collect_soon(self) -> None:
        # Nothing waits for the answers to commits, so being woken by each would only cost.
        if (self._replies.owes or self._replies.unsent) and not self._collecting:
            self._collecting = True
            self._collect_later()

    # Leaving.

    def _leave(self, way_out: BaseException) -> None:
        """Leave once what runs has finished."""
        if self._way_out is None:
            self._way_out = way_out
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if self._running:
            return
        if self._way_out is not None or (self._terminator is not None and not self._in_hand):
            self._end(self._way_out)

    def _end(self, way_out: BaseException | None) -> None:
        """Leave now."""
        with self._lock:
            if not self._over:
                self._over = True
                self._loop.call_soon_threadsafe(self._ended.set_result, way_out)

    @contextlib.contextmanager
    def _departures(self) -> Iterator[None]:
        try:
            yield
        except Departure as way_out:
            self._end(way_out)
