"""The life of a worker: becoming its actor, serving, and the ways it may end."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from callboard import _context, _failures, _session
from callboard._client import Client
from callboard.worker._birth import read_creation
from callboard.worker._calls import Desk
from callboard.worker._charges import charge_submitted_while_restarting
from callboard.worker._executor import Line
from callboard.worker._farewell import Farewell
from callboard.worker._groups import DEFAULT_GROUP
from callboard.worker._mailbox import Mailbox
from callboard.worker._parking import Parking
from callboard.worker._runner import Runner, shown
from callboard.worker._serial import SerialExecutor
from callboard.worker._signals import ActorExit, Departure, Fenced, Lost, Terminated
from callboard.worker._threaded import ThreadedExecutor
from callboard.worker._watch import Watch, fall, place_of_actor, terminate_on_signal
from callboard_broker import deaths, host
from callboard_broker.journal import Journal
from callboard_broker.operations import actors, clients
from callboard_broker.operations.calls import RECALL
from callboard_broker.page import USUAL_SLOTS, Phase, StatusPage
from callboard_broker.records import ActorRecord, ClientRecord
from callboard_broker.seen import Ledger
from callboard_broker.wire import items, mapping, text

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from callboard.worker._birth import Creation
    from callboard.worker._executor import Executor
    from callboard.worker._replies import Replies
    from callboard.worker._settings import Settings
    from callboard_broker.packing import Command

_log = logging.getLogger(__name__)

_SIGTERM_NOTE: Final = "signal 15 (SIGTERM)"
_SIGTERM_EXIT: Final = 128 + 15


class Life:
    """One incarnation, from the first line to the last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = settings.broker.keys
        self._exit_asked = False
        self._terminated = False
        wire = settings.broker.connect(f"worker:{settings.actor}", patience=settings.heartbeat_timeout)
        self._creation: Creation = read_creation(settings, wire)
        self._limits = _limits(self._creation)
        page = Path(settings.page)
        self._page = StatusPage.create(page, max(USUAL_SLOTS, sum(self._limits.values())))
        self._watch = Watch(settings, self._page, place_of_actor(settings))
        self._mailbox = Mailbox(settings, wire, self._page, Journal.create(page), self._leave_if_told)
        self._record = ActorRecord(
            actor_id=settings.actor,
            class_name=self._creation.record.class_name,
            name=self._creation.record.name,
            namespace=self._creation.record.namespace,
            pid=os.getpid(),
        )
        self._loop = _new_loop() if self._limits else None
        self._farewell = Farewell(settings, self._page, self._watch, self._record, self._mailbox)
        self._instance: Any = None
        self._executor: Executor | None = None

    def live(self) -> int:
        """Become the actor, serve, and end; return the exit code.

        Raises:
            SystemExit: User code ended the process on its own terms.
        """
        terminate_on_signal(self._on_sigterm)
        _session.use(self._join)
        _context.enter(self._creation, self._settings, self.ask_to_exit, self._running)
        self._watch.start()
        try:
            if not self._be_born():
                return 1
            self._serve()
            return 0
        except Terminated:
            # Before there was an instance with a hook, or after that: there is nothing to wait for.
            self._page.leave_note(_SIGTERM_NOTE)
            sys.exit(_SIGTERM_EXIT)
        except Fenced as reason:
            fall(self._page, f"fenced: {reason}")
        except Lost as reason:
            _log.error("this worker gives up: %s", reason)
            fall(self._page, f"lost: {reason}")

    def ask_to_exit(self) -> None:
        """Begin `exit_actor`: from now on calls fail, whatever thread this is and whoever swallows what it raises.

        Raises:
            ActorExit: Always.
        """
        self._exit_asked = True
        if self._executor is not None:
            self._executor.exit_asked()
        raise ActorExit("exit_actor() was called")

    def _be_born(self) -> bool:
        self._page.enter(Phase.CONSTRUCTING)
        try:
            self._creation.prepare(self._settings)
            self._instance = self._construct()
            if self._terminated:
                raise Terminated
            if self._exit_asked:
                raise ActorExit
        except (ActorExit, SystemExit) as leaving:
            if isinstance(leaving, SystemExit) and not _intended(leaving):
                self._page.leave_note(_exit_note(leaving))
                raise
            self._farewell.last_act(deaths.intended_exit())
            sys.exit(0)
        except Departure:
            raise
        except BaseException as error:
            # Whatever a constructor raises ends the actor for good, but for what it made of being interrupted.
            if self._terminated:
                raise Terminated from error
            told = _failures.remote_text(
                error,
                function=f"{self._record.class_name}.__init__",
                actor_id=self._settings.actor,
                pid=os.getpid(),
                host="",
                shown=self._record.class_name,
            )
            self._farewell.last_act(deaths.creation_failed(told))
            return False
        self._open_for_calls()
        return True

    def _construct(self) -> Any:
        if self._loop is None or not self._creation.info.asynchronous:
            return self._creation.construct()

        async def construct() -> Any:
            # On the running loop, so that the constructor may start tasks there.
            return self._creation.construct()

        return self._loop.run(construct())

    def _open_for_calls(self) -> None:
        settings, keys, mailbox = self._settings, self._keys, self._mailbox
        fields = (
            "pid", os.getpid(), "start_time", host.process_start_time(os.getpid()) or 0, "repr_name",
            self._own_repr(), "ever_started", 1,
        )  # fmt: skip
        _, seen, charged, ready = mailbox.ask(
            # Constructors may take long, and somebody may have overwritten a key meanwhile.
            clients.mend(keys.of_actor(settings.actor)),
            ("HGETALL", keys.seen(settings.actor)),
            ("HGETALL", keys.attempts(settings.actor)),
            actors.ready(keys, settings.actor, settings.token, fields),
        )
        sealed, first, last = (text(part) for part in items(ready))
        mailbox.seal_seen(sealed)
        replies = mailbox.separate_replies() if self._loop else mailbox
        desk = Desk(settings, replies, self._record, Ledger(mapping(seen)), mapping(charged))
        desk.before_answer = _flush_client
        if settings.incarnation > 1:
            charge_submitted_while_restarting(settings, replies, desk, (first, last), sealed)
        self._executor = self._executor_for(desk, replies)
        self._watch.tell(self._told)
        self._farewell.serving(replies, desk, self._instance)
        self._page.enter(Phase.READY)

    def _executor_for(self, desk: Desk, replies: Replies) -> Executor:
        instance, record = self._instance, self._record
        parking = Parking(self._settings, self._settings.token)
        if self._loop is None:
            runner = Runner(instance, record, parking)
            return SerialExecutor(self._mailbox, desk, runner, self._page, self._watch, self._seal_from_aside)
        line = Line(self._mailbox, replies, desk, self._page, self._watch)
        info, limits, loop = self._creation.info, self._limits, self._loop
        if not info.asynchronous:
            return ThreadedExecutor(line, Runner(instance, record, parking), info, limits, loop)
        from callboard.worker import concurrent  # noqa: PLC0415 - serial actors do without it

        return concurrent.AsyncExecutor(line, concurrent.CoroutineRunner(instance, record, parking), info, limits, loop)

    def _told(self, op: str, call: bytes, number: int) -> Command | None:
        assert self._executor is not None
        if op == RECALL:
            session = _session.current()
            if session is not None:
                session.client.withdrawals.recall(call)
            return None
        return self._executor.told(op, call, number)

    def _running(self) -> _context.Running | None:
        executor = self._executor
        call = executor.current() if executor else None
        if executor is None or call is None:
            return None
        cls, name = type(self._instance), f"{self._record.class_name}.{call.method}"
        function = f"{cls.__module__}.{cls.__qualname__}.{call.method}"
        return _context.Running(call.id, name, function, executor.is_cancelled(call))

    def _call(self) -> bytes:
        call = self._executor.current() if self._executor else None
        return call.id if call else b""

    def _seal_from_aside(self) -> None:
        # Sealing kicks the main thread out of its read; a connection of its own, as that one is in use.
        wire = self._settings.broker.connect(f"exit:{self._settings.actor}")
        wire.call(*actors.seal(self._keys, self._settings.actor, deaths.SEALED_EXIT_ACTOR))
        wire.close()

    def _own_repr(self) -> str:
        defined = any("__repr__" in vars(base) for base in type(self._instance).__mro__[:-1])
        return shown(self._instance) if defined else ""

    def _serve(self) -> None:
        executor = self._executor
        assert executor is not None
        last = None
        try:
            if not self._exit_asked:
                last = executor.serve()
            if self._terminated:
                raise Terminated
            cause, reason = deaths.intended_exit(), deaths.SEALED_EXIT_ACTOR
            if last is not None and not self._exit_asked:
                cause = deaths.out_of_scope() if last.caller == "-" else deaths.intended_exit()
                reason = self._mailbox.sealed or deaths.SEALED_TERMINATE
        except ActorExit:
            cause, reason = deaths.intended_exit(), deaths.SEALED_EXIT_ACTOR
        except SystemExit as leaving:
            if not _intended(leaving):
                self._leave_as_crash(_exit_note(leaving))
                raise
            cause, reason = deaths.intended_exit(), deaths.SEALED_EXIT_ACTOR
        except Terminated:
            self._leave_as_crash(_SIGTERM_NOTE)
            sys.exit(_SIGTERM_EXIT)
        self._terminated = True
        self._farewell.leave([*executor.ending, *([last] if last else [])], cause, reason, self._loop)

    def _leave_as_crash(self, note: str) -> None:
        self._terminated = True
        self._farewell.leave_as_crash(note, self._loop)

    def _on_sigterm(self, _number: int, _frame: object) -> None:
        if self._terminated:
            return
        self._terminated = True
        if self._executor is None:
            raise Terminated
        self._executor.terminate()

    def _leave_if_told(self) -> None:
        if self._terminated:
            raise Terminated

    def _join(self) -> _session.Session:
        """Become a client: this worker calls, creates or holds others."""
        settings = self._settings
        identity = ClientRecord(
            id=settings.client_id,
            kind="worker",
            host=settings.host,
            pid=os.getpid(),
            start_time=host.process_start_time(os.getpid()) or 0,
            namespace=str(self._creation.options["namespace"]),
            job_id=str(self._creation.options["job_id"]),
            node=settings.node,
            actor=settings.actor,
        )
        client = Client(settings.broker, identity, settings.heartbeat_timeout / 5, settings.segments)
        client.runtime_env = self._creation.options["runtime_env"]
        client.inside = self._call
        return _session.Session(client)


def _new_loop() -> asyncio.Runner:
    import asyncio  # noqa: PLC0415 - serial actors do without it

    return asyncio.Runner()


def _limits(creation: Creation) -> Mapping[str, int]:
    """Return how many calls run at once in each group; nothing for a serial actor."""
    groups: Mapping[str, int] = creation.options["concurrency_groups"]
    limit: int = creation.options["max_concurrency"]
    return {**groups, DEFAULT_GROUP: limit} if groups or limit > 1 or creation.info.asynchronous else {}


def _flush_client() -> None:
    session = _session.current()
    if session is not None:
        session.client.outbound.flush()


def _intended(leaving: SystemExit) -> bool:
    return leaving.code is None or leaving.code == 0


def _exit_note(leaving: SystemExit) -> str:
    # As Python does it: what is no number is printed, and the exit code is 1.
    if isinstance(leaving.code, int):
        return f"exit code {leaving.code & 0xFF} (sys.exit)"
    return f"exit code 1 (sys.exit: {leaving.code})"
