"""The life of a worker that runs tasks: taking one after the other, until nobody needs it any more."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import redis

from callboard import _context, _definition, _environment, _serde, _session
from callboard._client import Client
from callboard.exceptions import RaySystemError
from callboard.worker._jobs import LISTED, JobTaker
from callboard.worker._parking import Parking
from callboard.worker._runner import Runner
from callboard.worker._signals import Terminated
from callboard.worker._watch import Place, Watch
from callboard_broker import host, ids
from callboard_broker.deaths import STATUS_OK, STATUS_SEGMENT
from callboard_broker.envelope import Call, Outcome, open_fields
from callboard_broker.errors import BrokerRefusedError, EnvelopeError
from callboard_broker.operations import tasks
from callboard_broker.operations.calls import RECALL
from callboard_broker.page import StatusPage
from callboard_broker.records import ActorRecord, ClientRecord, TaskRecord
from callboard_broker.wire import ReplyError, items, mapping, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callboard.worker._settings import TaskSettings
    from callboard_broker.wire import Reply

_log = logging.getLogger(__name__)

#: Seconds before a server that did not answer is asked again.
_AGAIN: Final = 0.5
#: Seconds for which a worker that is asked to give way and must stay takes no task; some looks of its supervisor.
_REST: Final = 0.5
#: Holdings for whose sake a worker without a task stays: actors and objects that end with it.
_NEEDED: Final = ("own ", "object ")


class TaskLife:
    """A worker that runs tasks, from the first line to the last."""

    def __init__(self, settings: TaskSettings) -> None:
        self._settings = settings
        self._keys = settings.broker.keys
        self._taking = False
        self._must_leave = False
        self._give_way = False
        # The page shows that this is heard now; before, it would end the process.
        signal.signal(signal.SIGUSR1, self._asked_to_give_way)
        self._page = StatusPage.create(Path(settings.page))
        keys, worker = self._keys, settings.worker
        place = Place(
            worker,
            ("HMGET", keys.client(worker), "id", "node"),
            worker,
            keys.client_control(worker),
            (("EXPIRE", keys.rq_worker(worker), LISTED),),
        )
        self._client = self._join()
        self._client.objects.remember_what_others_hold()
        self._watch = Watch(settings, self._page, place)
        self._jobs = JobTaker(settings)
        self._parking = Parking(settings, settings.worker)
        self._functions: dict[str, Callable[..., Any]] = {}
        self._prepared = False
        self._runner: Runner | None = None
        #: The call that runs and may be interrupted.
        self._running: _context.Running | None = None
        self._cancelled = b""

    def live(self) -> int:
        """Run tasks until told to end, or until none has come for a while; return the exit code.

        Raises:
            SystemExit: A task ended the process, which counts as a crash.
        """
        signal.signal(signal.SIGTERM, self._told_to_end)
        signal.signal(signal.SIGINT, self._interrupted)
        _session.begin(lambda: _session.Session(self._client))
        _context.enter_worker(self._settings.node, self._what_runs)
        self._client.inside = self._call
        for command in tasks.serve(self._keys, self._settings.worker, self._settings.queue):
            self._client.ask(*command)
        self._client.pausing = self._pausing
        self._jobs.enter()
        self._watch.start()
        self._watch.tell(self._told)
        self._serve()
        self._watch.stop()
        self._jobs.close()
        self._client.close(goodbye=True)
        return 0

    def _join(self) -> Client:
        settings = self._settings
        pid = os.getpid()
        identity = ClientRecord(
            id=settings.worker,
            kind="worker",
            host=settings.host,
            hostname=socket.gethostname(),
            pid=pid,
            start_time=host.process_start_time(pid) or 0,
            node=settings.node,
        )
        return Client(settings.broker, identity, settings.heartbeat_timeout / 5, settings.segments)

    def _serve(self) -> None:
        idle_since = time.monotonic()
        while not self._must_leave:
            left = idle_since + self._settings.idle_timeout - time.monotonic()
            if left <= 0 or self._give_way:
                if self._is_free():
                    return
                idle_since = time.monotonic()
                self._rest_if_asked()
                continue
            job = self._next_job(left)
            if job is not None:
                self._do(job)
                idle_since = time.monotonic()

    def _next_job(self, seconds: float) -> str | None:
        try:
            self._taking = True
            if self._must_leave or self._give_way:
                return None
            return self._jobs.take(seconds)
        except Terminated:
            # A job that was on its way meanwhile is put back by the supervisor.
            return None
        except redis.RedisError as error:
            _log.warning("no job can be taken: %s", error)
            threading.Event().wait(_AGAIN)
            return None
        finally:
            self._taking = False

    def _rest_if_asked(self) -> None:
        """Leave the room to actors that wait for it; for longer, this process is asked again meanwhile."""
        if self._give_way:
            self._give_way = False
            threading.Event().wait(_REST)

    def _is_free(self) -> bool:
        """Tell whether nobody needs this process any more."""
        self._client.outbound.flush()
        held = [text(member) for member in items(self._client.ask("SMEMBERS", self._keys.holds(self._client.id)))]
        if self._client.waits_to_send or any(member.startswith(_NEEDED) for member in held):
            return False
        return not self._client.objects.needed()

    def _do(self, task: str) -> None:
        settings = self._settings
        begin = tasks.begin(self._keys, task, settings.queue, settings.worker, settings.node)
        try:
            stored = mapping(self._client.ask(*begin))
        except BrokerRefusedError as refusal:
            if refusal.code == "GONE":
                raise
            _log.warning("what is called the task %s is none: %s", task, refusal)
            return
        if not stored:
            return
        try:
            body = open_fields(settings.broker.signer("task", task), tasks.SIGNED, stored, f"the task {task}")
            if stored["queue"] != settings.queue.encode():
                raise EnvelopeError(f"the task {task} belongs to another queue")
        except EnvelopeError as error:
            # Nobody can be believed to be the caller.
            _log.warning("a task was refused: %s", error)
            self._settle(task, stored, None)
            return
        retries, record = int(stored["retries"]), TaskRecord.decode(stored)
        left = retries if retries < 0 else max(0, retries - record.attempts)
        call = Call(b"", stored["call"], 0, "", left, stored["opts"], body)
        outcome = self._run(call, stored["function"].decode(), stored["name"].decode())
        self._settle(task, stored, outcome)
        # The next task may take the process down.
        self._client.outbound.flush()
        if self._cancelled == call.id:
            # What was interrupted may be in any state.
            self._must_leave = True

    def _run(self, call: Call, sha: str, name: str) -> Outcome | None:
        self._page.call_started(b"", time.monotonic_ns(), b"")
        try:
            function = self._function(call, sha)
            # What it writes is shown under its name.
            self._page.call_started(b"", time.monotonic_ns(), call.method.encode())
            runner = self._runner = self._runner_of(SimpleNamespace(**{call.method: function}))
            runner.give = self._give
            self._running = _context.Running(call.id, name, f"{function.__module__}.{function.__qualname__}", False)
            return runner.run(call)
        except KeyboardInterrupt:
            return None
        except Exception as error:  # noqa: BLE001 - whatever loading the function raises
            return self._runner_of(None).failed(call, error)
        finally:
            self._running = None
            self._runner = None
            self._page.call_finished()

    def _runner_of(self, instance: Any) -> Runner:
        return Runner(instance, ActorRecord(pid=os.getpid()), self._parking)

    def _function(self, call: Call, sha: str) -> Callable[..., Any]:
        if sha in self._functions:
            call.method = self._functions[sha].__name__
            return self._functions[sha]
        stored = mapping(self._client.ask("HGETALL", self._keys.definition(sha)))
        call.method, table, pickled = _definition.opened(self._settings.broker, stored, sha)
        self._prepare(call.method, table)
        try:
            function: Callable[..., Any] = _serde.unpack(pickled)
        except Exception as error:
            raise RaySystemError(
                f"the function {call.method} could not be loaded in its worker: {type(error).__name__}: {error}. "
                "Install the module that defines it where supervisors run, or pass "
                "runtime_env={'working_dir': ...} with the directory that has it."
            ) from error
        if table["remember"]:
            self._functions[sha] = function
        return function

    def _prepare(self, name: str, table: Mapping[str, Any]) -> None:
        """Take over the surroundings of the job, which all tasks of the queue share."""
        if self._prepared:
            return
        _environment.enter(table, self._settings.host, name)
        client = self._client
        client.identity = replace(client.identity, namespace=table["namespace"], job_id=table["job_id"])
        client.runtime_env = table["runtime_env"]
        self._prepared = True

    def _give(self, call: Call, item: Outcome) -> None:
        runner = self._runner
        assert runner is not None
        client, caller = self._client, call.caller
        sealed = self._settings.broker.seal_outcome(caller, item)

        def given(reply: Reply) -> None:
            if reply == 0 or isinstance(reply, ReplyError):
                runner.streams.told("cancel", call.id, 0)

        task = ids.task_id(call.id.decode())
        client.outbound.post(tasks.give(self._keys, task, client.id, caller, item, sealed), given)
        client.outbound.push()
        client.confirm_soon()

    def _settle(self, task: str, stored: Mapping[str, bytes], outcome: Outcome | None) -> None:
        call, function = (stored.get(name, b"").decode(errors="replace") for name in ("call", "function"))
        sealed = b""
        if outcome is not None:
            sealed = self._settings.broker.seal_outcome(call.rpartition("/")[0], outcome)
        shown = "finished" if outcome is not None and outcome.status in {STATUS_OK, STATUS_SEGMENT} else "failed"
        ending = tasks.Ending(self._client.id, outcome, sealed, shown)
        self._client.outbound.post(tasks.settle(self._keys, call, task, function, self._settings.queue, ending))

    @contextlib.contextmanager
    def _pausing(self) -> Iterator[None]:
        """Lend the room of the running task to others while it waits for them."""
        mine = bool(self._call())
        if mine:
            self._page.pause(pausing=True)
        try:
            yield
        finally:
            if mine:
                self._page.pause(pausing=False)

    def _told(self, op: str, call: bytes, number: int) -> None:
        """Take what a caller has to say about a task; called by the watching thread."""
        if op == RECALL:
            self._client.withdrawals.recall(call)
            return
        runner, running = self._runner, self._running
        if runner is not None:
            runner.streams.told(op, call, number)
        if op == "cancel" and running is not None and call == running.id:
            self._cancelled = call
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _interrupted(self, _number: int, _frame: object) -> None:
        if self._running and self._running.id == self._cancelled:
            raise KeyboardInterrupt

    def _what_runs(self) -> _context.Running | None:
        running = self._running
        if running is None or threading.current_thread() is not threading.main_thread():
            return None
        return running._replace(cancelled=running.id == self._cancelled)

    def _call(self) -> bytes:
        running = self._what_runs()
        return running.id if running else b""

    def _told_to_end(self, _number: int, _frame: object) -> None:
        self._must_leave = True
        self._wake()

    def _asked_to_give_way(self, _number: int, _frame: object) -> None:
        self._give_way = True
        self._wake()

    def _wake(self) -> None:
        if self._taking:
            self._taking = False
            raise Terminated
