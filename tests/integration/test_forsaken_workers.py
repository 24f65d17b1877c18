"""I6, I8: workers that nobody looks after, and never will again, end by themselves."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.company import Keeper
from tests.support.errands import hold
from tests.support.kinds import KINDS, create
from tests.support.looking import gone, record, state, wait_for_end, worker_of
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage, stage
from tests.support.supervisors import another_supervisor
from tests.support.waiting import wait_until

import callboard
from callboard.exceptions import ClientGoneError
from callboard_broker.page import StatusPage, page_path

#: Seconds of a heartbeat timeout that tests can wait out.
SHORT = 0.5
BOUND = 20


@pytest.fixture
def forsaken() -> Iterator[Stage]:
    """Join a callboard whose supervisor is going to be killed, and not to be replaced."""
    with stage(None, **{"heartbeat-timeout": str(SHORT)}) as own:
        callboard.init(own.address, _system_config={"heartbeat_timeout_ms": SHORT * 1000})
        try:
            yield own
        finally:
            callboard.shutdown()


def kill_supervisor(own: Stage, workers: list[int]) -> list[psutil.Process]:
    """Kill the supervisor, and return the workers that it leaves behind."""
    found = [psutil.Process(pid) for pid in workers]
    os.kill(own.supervisor.pid, signal.SIGKILL)
    return found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_i8_actors_leave_when_no_supervisor_comes(forsaken: Stage, notes: Notes, gate: Path, kind: str) -> None:
    """Idle ones, and those that are in the middle of a call which would go on for ever."""
    idle, busy = create(kind, notes), create(kind, Notes(notes.path.with_name("busy")))
    pids = callboard.get([idle.pid.remote(), busy.pid.remote()], timeout=BOUND)
    busy.hold.remote(str(gate), "held")
    wait_until(lambda: Notes(notes.path.with_name("busy")).count("held began"), what="the call to start")
    for process in kill_supervisor(forsaken, pids):
        wait_for_end(process.pid, timeout=BOUND)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_i8_a_worker_that_was_stopped_is_not_forsaken(forsaken: Stage, notes: Notes, kind: str) -> None:
    """However long that was: its supervisor has been there all the time."""
    actor = create(kind, notes, max_restarts=1)
    process = psutil.Process(callboard.get(actor.pid.remote(), timeout=BOUND))
    for _ in range(3):
        process.suspend()
        since = time.monotonic()
        wait_until(lambda since=since: time.monotonic() - since > 3 * SHORT, what="more than the time")  # type: ignore[misc]
        process.resume()
        assert callboard.get(actor.pid.remote(), timeout=BOUND) == process.pid
        wait_for_looks(forsaken, actor)
    assert state(actor).num_restarts == 0


def wait_for_looks(own: Stage, actor: Any) -> None:
    """Wait until an actor's worker has looked at its record several times."""
    page = StatusPage.open(page_path(actor._actor_id, record(own, actor._actor_id).token))
    before = page.beats
    wait_until(lambda: page.beats > before + 4, what="the worker to look", timeout=BOUND)
    page.close()


def test_an_actor_that_waits_for_nothing_asks_nothing(forsaken: Stage, notes: Notes) -> None:
    """As a client it counts as alive as long as its incarnation: a thousand that hold handles need not say so."""
    keeper, client = keeping_client(forsaken, notes)
    key = forsaken.broker.keys.client(client)
    before = forsaken.wire.call("HGETALL", key)
    wait_for_looks(forsaken, keeper)
    assert forsaken.wire.call("HGETALL", key) == before


def test_i8_an_actor_that_was_forgotten_as_a_client_waits_for_nothing(
    forsaken: Stage, notes: Notes, gate: Path
) -> None:
    """While it waits it asks whether that can still come."""
    keeper, client = keeping_client(forsaken, notes)
    waiting = keeper.__ray_call__.remote(lambda self: callboard.get(self.give().hold.remote(str(gate), "held")))
    wait_until(lambda: notes.count("held began"), what="the call to start")
    forsaken.wire.call("DEL", forsaken.broker.keys.inbox(client))
    with pytest.raises(ClientGoneError):
        callboard.get(waiting, timeout=BOUND)


def keeping_client(own: Stage, notes: Notes) -> tuple[Any, str]:
    """Return an actor that has a handle to another, and its id as a client."""
    keeper: Any = callboard.remote(Keeper).remote(f"{notes.path}-of-the-keeper")
    callboard.get(keeper.keep.remote(create("threaded", notes)), timeout=BOUND)
    return keeper, worker_of(own, keeper._actor_id)


def test_i8_actors_whose_constructor_goes_on_leave(forsaken: Stage, notes: Notes) -> None:
    """Nobody has called them yet, and nobody knows them but their record."""
    actor: Any = callboard.remote(Mortal).remote(str(notes.path), ("wait",))
    wait_until(lambda: notes.count("init"), what="the constructor to run")
    (process,) = kill_supervisor(forsaken, [notes.pid])
    wait_for_end(process.pid, timeout=BOUND)
    del actor


def test_a9_workers_for_tasks_leave_when_no_supervisor_comes(forsaken: Stage, notes: Notes, gate: Path) -> None:
    """Also in the middle of a task: that is run again when there is a supervisor."""
    ref = callboard.remote(hold).remote(str(notes.path), str(gate), "held")
    wait_until(lambda: notes.count("held began"), what="the task to start")
    (process,) = kill_supervisor(forsaken, [notes.pid])
    wait_for_end(process.pid, timeout=BOUND)
    with another_supervisor(forsaken):
        gate.touch()
        assert callboard.get(ref, timeout=BOUND) == "held"
    assert notes.count("held began") == 2


def test_a9_a_task_goes_on_where_another_supervisor_is(forsaken: Stage, notes: Notes, gate: Path) -> None:
    """For much longer than it would without any."""
    ref = callboard.remote(hold).options(max_retries=0).remote(str(notes.path), str(gate), "held")
    wait_until(lambda: notes.count("held began"), what="the task to start")
    with another_supervisor(forsaken, **{"heartbeat-timeout": str(SHORT)}):
        (process,) = kill_supervisor(forsaken, [notes.pid])
        assert callboard.wait([ref], timeout=6 * SHORT) == ([], [ref])
        assert not gone(process.pid)
        gate.touch()
        assert callboard.get(ref, timeout=BOUND) == "held"
        wait_for_end(process.pid, timeout=BOUND)


def test_i8_what_an_actor_started_ends_with_it(forsaken: Stage, notes: Notes) -> None:
    """I6: its process group holds nobody when it leaves, as nobody is left to kill it."""
    actor: Any = callboard.remote(Mortal).remote(str(notes.path))
    child = psutil.Process(callboard.get(actor.child.remote(), timeout=BOUND))
    (process,) = kill_supervisor(forsaken, [notes.pid])
    wait_for_end(process.pid, timeout=BOUND)
    wait_for_end(child.pid, timeout=BOUND)
