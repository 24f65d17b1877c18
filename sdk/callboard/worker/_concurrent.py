"""Threaded and async actors: several calls at once, in groups.

The main thread runs an event loop. It reads the mailbox, lets calls begin as their groups allow, and sends outcomes; a
call runs as a coroutine on the same loop, or in a thread. Everything but the user's code itself happens on the loop, so
nothing of it needs a lock. Calls begin in the order of the mailbox within each group, and may overtake each other from
there on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from callboard.worker._groups import Group, Threads
from callboard.worker._signals import ActorExit, Departure, Terminated
from callboard_broker.envelope import TERMINATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callboard._definition import ClassInfo
    from callboard.worker._executor import Line
    from callboard.worker._runner import Runner
    from callboard_broker.envelope import Call, Outcome
    from callboard_broker.wire import Command, Wire

#: Name of the group of calls that belong to no other.
DEFAULT_GROUP: Final = "_default"
#: Calls that may wait in this process; what comes after them waits in the mailbox.
_IN_HAND: Final = 10_000
#: Seconds between two looks at whether the server has fallen silent.
_LISTEN: Final = 5.0
#: Seconds after which the answers to commits are read; until then the journal keeps what they settle.
_COLLECT: Final = 0.02


@dataclass(slots=True, eq=False)
class _Running:
    """A call that runs.

    Attributes:
        call: Which.
        group: Whose room it takes.
        slot: What tells of it on the status page.
        task: On an async actor.
        settling: Whether the user's code is done.
        leaving: Whether it has called ``exit_actor()``, even if it caught what that raised.
        twins: The same call, when it came again meanwhile.
    """

    call: Call
    group: Group
    slot: int
    task: asyncio.Task[None] | None = None
    settling: bool = False
    leaving: bool = False
    twins: list[Call] = field(default_factory=list)


_current: ContextVar[_Running | None] = ContextVar("callboard_call", default=None)


class ConcurrentExecutor:
    """Run an actor's calls, several at once.

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
        self._threads = None if info.asynchronous else Threads()
        self._running: dict[bytes, _Running] = {}
        self._in_hand = 0
        self._listening: tuple[Wire | None, int] = (None, -1)
        self._asked = False
        self._flushing = False
        self._collecting = False
        self._terminator: Call | None = None
        self._way_out: BaseException | None = None
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
        """Leave because of SIGTERM: a coroutine that runs at this moment is interrupted, threads are left behind.

        Raises:
            Terminated: In the user's code.
        """
        self._loop.call_soon_threadsafe(self._end, Terminated())
        running = _current.get() if asyncio.current_task(self._loop) else None
        if running is not None and not running.settling:
            raise Terminated

    def exit_asked(self) -> None:
        """Note that ``exit_actor()`` was called: calls that have started finish, no other starts."""
        running = _current.get()
        if running is not None:
            running.leaving = True
        self._loop.call_soon_threadsafe(self._leave, ActorExit("exit_actor() was called"))

    def current(self) -> Call | None:
        """Return the call that runs in this thread or task."""
        running = _current.get()
        return running.call if running else None

    def told(self, op: str, call: bytes, number: int) -> Command | None:
        """Take what a caller has to say about one of its calls; called by the watching thread."""
        heard = self._desk.cancel(call, number) if op == "cancel" else None
        with contextlib.suppress(RuntimeError):  # the loop is closed: the actor has ended
            self._loop.call_soon_threadsafe(self._heed, op, call, number)
        return heard

    async def _serve(self) -> BaseException | None:
        try:
            self._ask()
            self._look_for_silence()
            return await self._ended
        finally:
            self._loop.remove_reader(self._listening[1])

    # Reading and answering, in callbacks of the loop.

    def _read(self) -> None:
        with self._departures():
            self._asked = False
            for entry, flat in self._mailbox.take_calls():
                call = self._desk.open(entry, flat)
                if call is not None and self._terminator is None:
                    self._admit(call)
            self._ask()
        if self._replies.unsent:
            # Of calls that were refused, or came again.
            self._flush_soon()

    def _ask(self) -> None:
        if not self._asked and self._in_hand < _IN_HAND and self._terminator is None and self._way_out is None:
            self._mailbox.ask_for_calls()
            self._asked = True
        self._listen()

    def _look_for_silence(self) -> None:
        for wire in (self._mailbox.connection, self._replies.connection):
            if wire.silent:
                wire.interrupt()
        self._loop.call_later(_LISTEN, self._look_for_silence)

    def _collect(self) -> None:
        self._collecting = False
        with self._departures():
            self._replies.collect()
            self._collect_later()

    def _collect_later(self) -> None:
        # Nothing waits for the answers to commits, so being woken by each would only cost.
        if self._replies.owes and not self._collecting:
            self._collecting = True
            self._loop.call_later(_COLLECT, self._collect)

    def _flush(self) -> None:
        self._flushing = False
        with self._departures():
            self._replies.flush()
            self._collect_later()

    def _listen(self) -> None:
        wire = self._mailbox.connection
        known, number = self._listening
        if known is not wire:
            # A closed connection's number may be that of the new one by now.
            if known is not None:
                self._loop.remove_reader(number)
            self._loop.add_reader(wire.fileno(), self._read)
            self._listening = wire, wire.fileno()

    @contextlib.contextmanager
    def _departures(self) -> Iterator[None]:
        try:
            yield
        except Departure as way_out:
            self._end(way_out)

    # Running.

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
            self._answer(call, self._runner.failed(call, told))
            return
        self._in_hand += 1
        group.waiting.append(call)
        self._fill(group)

    def _fill(self, group: Group) -> None:
        while group.waiting and group.running < group.limit and self._way_out is None:
            if time.monotonic_ns() > self._watch.certain_until and not self._stands():
                return
            self._in_hand -= 1
            call = group.waiting.popleft()
            if self._desk.open_still(call):
                self._start(call, group)
            else:
                self._repeat(call)
        self._look_for_the_end()

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
        self._flush_soon()

    def _start(self, call: Call, group: Group) -> None:
        running = self._running.get(call.id)
        if running is not None:
            running.twins.append(call)
            return
        milliseconds, _, number = call.entry.partition(b"-")
        slot = self._page.slot_claim((int(milliseconds), int(number)), call.method.encode())
        running = _Running(call, group, slot)
        self._running[call.id] = running
        group.running += 1
        if self._threads is None:
            running.task = self._loop.create_task(self._run_here(running))
        else:
            self._threads.run(lambda: self._run_in_thread(running))

    async def _run_here(self, running: _Running) -> None:
        _current.set(running)
        try:
            outcome = await self._runner.run_here(running.call)
        except BaseException as way_out:  # noqa: BLE001 - whatever it is, the actor leaves by it
            running.settling = True
            self._departed(running, way_out)
        else:
            running.settling = True
            self._finished(running, outcome)

    def _run_in_thread(self, running: _Running) -> None:
        _current.set(running)
        try:
            outcome = self._runner.run(running.call)
        except BaseException as way_out:  # noqa: BLE001 - whatever it is, the actor leaves by it
            self._hand_back(self._departed, running, way_out)
        else:
            self._hand_back(self._finished, running, outcome)

    def _hand_back(self, to: Callable[..., None], running: _Running, what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the actor has left without waiting for threads
            self._loop.call_soon_threadsafe(to, running, what)

    def _finished(self, running: _Running, outcome: Outcome) -> None:
        if self._ended.done():
            return
        if running.leaving:
            self._ending.append(running.call)
        else:
            self._answer(running.call, outcome)
        self._stopped(running)

    def _departed(self, running: _Running, way_out: BaseException) -> None:
        if self._ended.done():
            return
        self._ending.append(running.call)
        if isinstance(way_out, ActorExit) or (isinstance(way_out, SystemExit) and not way_out.code):
            self._leave(way_out)
            self._stopped(running)
        else:
            self._end(way_out)

    def _stopped(self, running: _Running) -> None:
        del self._running[running.call.id]
        self._page.slot_free(running.slot)
        running.group.running -= 1
        for twin in running.twins:
            self._repeat(twin)
        self._fill(running.group)
        if not self._asked:
            with self._departures():
                self._ask()

    def _answer(self, call: Call, outcome: Outcome) -> None:
        with self._departures():
            self._desk.answer(call, outcome)
            # Before the slot is given back: whatever ends the process now, the call has run, and its outcome stands.
            self._replies.journal()
        self._flush_soon()

    def _flush_soon(self) -> None:
        if len(self._running) <= 1 and not self._in_hand:
            # Nothing else is about to finish that could go with it.
            self._flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _give(self, call: Call, item: Outcome) -> None:
        if self._threads is None:
            self._give_here(call, item)
        else:
            self._loop.call_soon_threadsafe(self._give_here, call, item)

    def _give_here(self, call: Call, item: Outcome) -> None:
        with self._departures():
            self._desk.give(call, item)
        self._flush_soon()

    def _heed(self, op: str, call: bytes, number: int) -> None:
        self._runner.streams.told(op, call, number)
        running = self._running.get(call)
        if op == "cancel" and running is not None and running.task is not None:
            running.task.cancel()

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
        if not self._ended.done():
            self._ended.set_result(way_out)
