"""The life of a worker: becoming its actor, serving, and the ways it may end."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from callboard import _context, _session
from callboard._client import Client
from callboard._definition import HOOK
from callboard.worker._birth import read_creation
from callboard.worker._calls import Desk, Runner, shown
from callboard.worker._charges import charge_submitted_while_restarting
from callboard.worker._mailbox import Mailbox
from callboard.worker._serial import SerialExecutor
from callboard.worker._signals import ActorExit, Departure, Fenced, Leaving, Lost, Terminated
from callboard.worker._watch import FENCED, FORSAKEN, Watch, terminate_on_signal
from callboard_broker import deaths, host
from callboard_broker.journal import Journal
from callboard_broker.operations import actors
from callboard_broker.page import Phase, StatusPage
from callboard_broker.records import ActorRecord, ClientRecord
from callboard_broker.scripts import script
from callboard_broker.seen import Ledger
from callboard_broker.wire import integer, items, mapping, text

if TYPE_CHECKING:
    from callboard.worker._birth import Creation
    from callboard.worker._settings import Settings
    from callboard_broker.deaths import DeathCause
    from callboard_broker.envelope import Call

_log = logging.getLogger(__name__)

_SIGTERM_NOTE: Final = "signal 15 (SIGTERM)"
_SIGTERM_EXIT: Final = 128 + 15


class Life:
    """One incarnation, from the first line to the last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = settings.broker.keys
        self._page = StatusPage.create(Path(settings.page))
        self._instance: Any = None
        self._exit_asked = False
        self._exit_swallowed = False
        self._ending = False
        self._watch = Watch(settings, self._page)
        wire = settings.broker.connect(f"worker:{settings.actor}", patience=settings.heartbeat_timeout)
        self._page.connected(integer(wire.call("CLIENT", "ID")))
        wire.call(*script("commit").load())
        self._creation: Creation = read_creation(settings, wire)
        self._mailbox = Mailbox(settings, wire, self._page, Journal.create(Path(settings.page)), self._leave_if_told)
        self._record = ActorRecord(
            actor_id=settings.actor,
            class_name=self._creation.record.class_name,
            name=self._creation.record.name,
            namespace=self._creation.record.namespace,
            pid=os.getpid(),
        )
        self._executor: SerialExecutor | None = None
        self._desk: Desk | None = None

    def live(self) -> int:
        """Become the actor, serve, and end; return the exit code.

        Raises:
            SystemExit: User code ended the process on its own terms.
        """
        terminate_on_signal(self._on_sigterm)
        _session.use(self._join)
        _context.enter(self._creation, self._settings, self.ask_to_exit)
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
            self._page.leave_note(f"fenced: {reason}")
            os._exit(FENCED)
        except Lost as reason:
            self._page.leave_note(f"lost: {reason}")
            _log.error("this worker gives up: %s", reason)
            os._exit(FORSAKEN)

    def ask_to_exit(self) -> None:
        """Begin `exit_actor`: from now on calls fail, whatever thread this is and whoever swallows what it raises.

        Raises:
            ActorExit: Always.
        """
        self._exit_asked = True
        if threading.current_thread() is threading.main_thread():
            self._exit_swallowed = True
        else:
            # Sealing kicks the main thread out of its read; a connection of its own, as that one is in use.
            wire = self._settings.broker.connect(f"exit:{self._settings.actor}")
            wire.call(*actors.seal(self._keys, self._settings.actor, deaths.SEALED_EXIT_ACTOR))
            wire.close()
        raise ActorExit("exit_actor() was called")

    def _leaving(self) -> Leaving:
        """Tell whether the end was asked for, as a method may have swallowed what said so."""
        if self._ending or self._exit_swallowed:
            return Leaving.WITH_THE_CALL
        return Leaving.AFTER_THE_CALL if self._exit_asked else Leaving.NO

    def _be_born(self) -> bool:
        self._page.enter(Phase.CONSTRUCTING)
        self._creation.prepare(self._settings)
        try:
            self._instance = self._creation.construct()
            if self._ending:
                raise Terminated
            if self._exit_asked:
                raise ActorExit
        except (ActorExit, SystemExit) as leaving:
            if isinstance(leaving, SystemExit) and not _intended(leaving):
                self._page.leave_note(_exit_note(leaving))
                raise
            self._last_act(deaths.intended_exit())
            sys.exit(0)
        except Departure:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a constructor raises ends the actor for good
            from callboard import _failures  # noqa: PLC0415 - rare

            function = f"{self._record.class_name}.__init__"
            told = _failures.remote_text(
                error,
                function=function,
                actor_id=self._settings.actor,
                pid=os.getpid(),
                host="",
                shown=self._record.class_name,
            )
            self._last_act(deaths.creation_failed(told))
            return False
        self._open_for_calls()
        return True

    def _open_for_calls(self) -> None:
        settings, keys = self._settings, self._keys
        fields = (
            "pid", os.getpid(), "start_time", host.process_start_time(os.getpid()) or 0, "repr_name",
            self._own_repr(), "ever_started", 1,
        )  # fmt: skip
        seen, charged, ready = self._mailbox.ask(
            ("HGETALL", keys.seen(settings.actor)),
            ("HGETALL", keys.attempts(settings.actor)),
            actors.ready(keys, settings.actor, settings.token, fields),
        )
        sealed, first, last = (text(part) for part in items(ready))
        self._mailbox.seal_seen(sealed)
        self._desk = Desk(settings, self._mailbox, self._record, Ledger(mapping(seen)), mapping(charged))
        self._desk.before_answer = self._flush_client
        runner = Runner(self._instance, self._record, self._lend)
        self._executor = SerialExecutor(self._mailbox, self._desk, runner, self._page, self._leaving)
        if settings.incarnation > 1:
            charge_submitted_while_restarting(settings, self._mailbox, self._desk, (first, last))
        self._page.enter(Phase.READY)

    def _own_repr(self) -> str:
        defined = any("__repr__" in vars(base) for base in type(self._instance).__mro__[:-1])
        return shown(self._instance) if defined else ""

    def _serve(self) -> None:
        executor = self._executor
        assert executor is not None
        last: Call | None = None
        try:
            last = executor.serve()
            if self._ending:
                raise Terminated
            if self._exit_asked:
                cause, reason = deaths.intended_exit(), deaths.SEALED_EXIT_ACTOR
            else:
                assert last is not None
                scope = last.caller == "-"
                cause = deaths.out_of_scope() if scope else deaths.intended_exit()
                reason = self._mailbox.sealed or deaths.SEALED_TERMINATE
        except ActorExit:
            last, cause, reason = executor.running, deaths.intended_exit(), deaths.SEALED_EXIT_ACTOR
        except SystemExit as leaving:
            if not _intended(leaving):
                self._leave_as_crash(_exit_note(leaving))
                raise
            last, cause, reason = executor.running, deaths.intended_exit(), deaths.SEALED_EXIT_ACTOR
        except Terminated:
            self._leave_as_crash(_SIGTERM_NOTE)
            sys.exit(_SIGTERM_EXIT)
        self._leave(last, cause, reason)

    def _leave(self, last: Call | None, cause: DeathCause, reason: str) -> None:
        """End gracefully: nothing comes after, the last call and what is behind it fail, then the hook runs."""
        self._ending = True
        self._mailbox.ask(actors.seal(self._keys, self._settings.actor, reason))
        self._mailbox.seal_seen(reason)
        self._last_act(cause)
        assert self._desk is not None
        if last is not None:
            self._desk.fail(last, cause)
        self._drain(cause)
        self._mailbox.finish()
        self._run_hook()

    def _drain(self, cause: DeathCause) -> None:
        assert self._desk is not None
        start = "-"
        while True:
            command = ("XRANGE", self._keys.sealed(self._settings.actor), start, "+", "COUNT", 200)
            entries = items(self._mailbox.ask(command)[0])
            if not entries:
                return
            for entry in entries:
                identity, flat = items(entry)
                assert isinstance(identity, bytes)
                call = self._desk.open(identity, items(flat))
                if call is not None:
                    self._desk.fail(call, cause)
                start = f"({identity.decode()}"
            self._mailbox.finish()

    def _leave_as_crash(self, note: str) -> None:
        """End gracefully on a way that counts as a crash: what had started is charged, and a restart may follow."""
        self._ending = True
        self._page.leave_note(note)
        self._page.enter(Phase.ENDING)
        self._watch.stop()
        self._mailbox.finish()
        self._run_hook()

    def _last_act(self, cause: DeathCause) -> None:
        self._ending = True
        self._page.enter(Phase.ENDING)
        self._watch.stop()
        self._mailbox.ask(actors.last_act(self._keys, self._settings.actor, self._settings.token, cause))

    def _run_hook(self) -> None:
        try:
            self._call_hook()
        except BaseException:  # noqa: BLE001 - not even exit_actor() in the hook changes the end
            _log.exception("Error during actor __ray_shutdown__ method")
        session = _session.end()
        if session is not None:
            session.client.close(goodbye=True)

    def _call_hook(self) -> None:
        hook = getattr(self._instance, HOOK, None)
        if not callable(hook):
            return
        returned = hook()
        if inspect.iscoroutine(returned):
            returned.close()
            raise TypeError(f"{self._record.class_name}.{HOOK} is async and did not run: make it a plain method")

    def _on_sigterm(self, _number: int, _frame: object) -> None:
        if self._ending:
            return
        self._ending = True
        executor = self._executor
        # Only where nothing of ours is half-done: in the constructor, in a call, or waiting for one. Elsewhere it is
        # looked for before the next of these.
        if executor is None or executor.running is not None or self._mailbox.waiting:
            raise Terminated

    def _leave_if_told(self) -> None:
        if self._ending:
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
        return _session.Session(Client(settings.broker, identity, settings.heartbeat_timeout / 5))

    def _lend(self, targets: list[str], call: bytes) -> None:
        caller = call.decode().rpartition("/")[0]
        _session.client().holdings.lend(targets, f"r:{call.decode()}", caller)

    def _flush_client(self) -> None:
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
