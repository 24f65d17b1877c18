"""K: `kill`."""

import os
import signal
import time
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from tests.support.looking import death, gone, record, state, wait_for_death, wait_for_end, wait_for_restart, worker_of
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard_broker.operations import actors

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10
KILLED = r"killed by `callboard\.kill`"


def mortal(ray: ModuleType, notes: Notes, first: tuple[str, ...] = ("live",), **options: Any) -> Any:
    """Create an actor."""
    return ray.remote(Mortal).options(**options).remote(str(notes.path), first)


def test_k1_kill_ends_the_process_group_at_once_without_hooks(ray: ModuleType, notes: Notes) -> None:
    """`kill` returns at once; the process and its children get SIGKILL, neither hook nor atexit runs."""
    actor = mortal(ray, notes)
    pid, child = ray.get([actor.pid.remote(), actor.child.remote()], timeout=BOUND)
    running = actor.long.remote()
    wait_until(lambda: "long" in notes.lines(), what="the call to run")
    began = time.monotonic()
    ray.kill(actor)
    assert time.monotonic() - began < 5
    wait_for_end(pid)
    wait_for_end(child)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(running, timeout=BOUND)
    assert notes.lines() == ["init", "long"]


def test_k2_running_queued_and_later_calls_raise(ray: ModuleType, notes: Notes) -> None:
    """All of them raise ActorDiedError that says so, none of them runs (on), and the cause is RAY_KILL."""
    actor = mortal(ray, notes)
    running = actor.long.remote()
    queued = [actor.note.remote(f"queued {number}") for number in range(300)]
    wait_until(lambda: "long" in notes.lines(), what="the call to run")
    ray.kill(actor)
    later = [actor.note.remote("later") for _ in range(3)]
    for ref in [running, *queued, *later]:
        with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
            ray.get(ref, timeout=BOUND)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["never_started"]) == ("RAY_KILL", False)
    assert notes.lines() == ["init", "long"]


def test_k2_calls_after_kill_never_run(ray: ModuleType, notes: Notes) -> None:
    """What is called after `kill` has returned never runs, however idle the actor was."""
    for number in range(15):
        actor = mortal(ray, notes)
        ray.get(actor.pid.remote(), timeout=BOUND)
        ray.kill(actor)
        late = actor.note.remote(f"late {number}")
        with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
            ray.get(late, timeout=BOUND)
        wait_for_death(actor)
    assert set(notes.lines()) == {"init"}


def test_k2_calls_of_the_dead_fail_at_once(ray: ModuleType, notes: Notes) -> None:
    """Nothing waits for a poll or a timeout: ten calls one after the other have failed long before ten seconds."""
    actor = mortal(ray, notes)
    ray.kill(actor)
    wait_for_death(actor)
    began = time.monotonic()
    for _ in range(10):
        with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
            ray.get(actor.pid.remote(), timeout=BOUND)
    assert time.monotonic() - began < 5


def test_k2_kill_overrides_restarts_and_retries(ray: ModuleType, notes: Notes) -> None:
    """A killed actor is not restarted and its calls are not retried, whatever is left of both."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1)
    running = actor.long.remote()
    wait_until(lambda: "long" in notes.lines(), what="the call to run")
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
        ray.get(running, timeout=BOUND)
    wait_for_death(actor)
    assert notes.lines() == ["init", "long"]


def test_k2_kill_while_restarting(ray: ModuleType, notes: Notes) -> None:
    """An actor can be killed while it is being restarted."""
    actor = mortal(ray, notes, ("live", "wait"), max_restarts=-1, max_task_retries=-1)
    ref = actor.die.remote()
    wait_until(lambda: notes.count("init") == 2, what="the restart")
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
        ray.get(ref, timeout=BOUND)
    assert not wait_for_death(actor)["never_started"]


def test_k3_kill_with_restart(ray: ModuleType, notes: Notes) -> None:
    """`no_restart=False` spends a restart; running calls without retries are unavailable; with none left it dies."""
    actor = mortal(ray, notes, max_restarts=1)
    first = ray.get(actor.pid.remote(), timeout=BOUND)
    running = actor.long.remote()
    wait_until(lambda: "long" in notes.lines(), what="the call to run")
    queued = actor.note.remote("queued")
    ray.kill(actor, no_restart=False)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(running, timeout=BOUND)
    assert ray.get(queued, timeout=BOUND) == "queued"
    assert ray.get(actor.pid.remote(), timeout=BOUND) != first
    assert state(actor).num_restarts == 1
    ray.kill(actor, no_restart=False)
    cause = wait_for_death(actor)
    assert "1 of 1" in cause["error_message"]
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.pid.remote(), timeout=BOUND)
    assert notes.count("atexit") == 0


def test_k3_a_kill_that_comes_twice_spends_one_restart(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """R1: it names the process that it is for; it is sent again when a connection breaks before it was answered."""
    actor = mortal(ray, notes, max_restarts=1)
    ray.get(actor.pid.remote(), timeout=BOUND)
    node = record(on_stage, actor._actor_id).node
    signer, subject = on_stage.broker.signer("command", node), worker_of(on_stage, actor._actor_id)
    kill = actors.command_node(on_stage.broker.keys, node, signer, "restart", subject)
    on_stage.wire.call(*kill)
    wait_for_restart(actor, 1)
    second = ray.get(actor.pid.remote(), timeout=BOUND)
    on_stage.wire.call(*kill)
    # What is behind it has been done when this one is dead.
    other = mortal(ray, Notes(f"{notes.path}-of-another"))
    ray.get(other.pid.remote(), timeout=BOUND)
    ray.kill(other)
    wait_for_death(other)
    assert ray.get(actor.pid.remote(), timeout=BOUND) == second


def test_k3_kill_with_restart_runs_calls_again_that_have_retries(ray: ModuleType, notes: Notes) -> None:
    """With a retry left the running call is run again, before what is behind it."""
    actor = mortal(ray, notes, max_restarts=1, max_task_retries=1)
    gate = notes.path.with_name("gate")
    running = actor.behind.remote(str(gate))
    queued = [actor.note.remote(f"{number}") for number in range(3)]
    wait_until(lambda: "behind" in notes.lines(), what="the call to run")
    ray.kill(actor, no_restart=False)
    wait_until(lambda: notes.count("behind") == 2, what="the call to run again")
    gate.touch()
    assert ray.get([running, *queued], timeout=BOUND) == ["behind", "0", "1", "2"]
    assert notes.lines() == ["init", "behind", "init", "behind", "0", "1", "2"]


def test_k4_any_handle_will_do(ray: ModuleType, notes: Notes) -> None:
    """A handle from `get_actor` kills, and one that was passed to another actor."""
    named = mortal(ray, notes, name="named")
    ray.get(named.pid.remote(), timeout=BOUND)
    ray.kill(ray.get_actor("named"))
    assert wait_for_death(named)["reason"] == "RAY_KILL"
    killer, victim = mortal(ray, notes), mortal(ray, notes)
    ray.get(victim.pid.remote(), timeout=BOUND)
    ray.get(killer.kill_other.remote(victim), timeout=BOUND)
    assert wait_for_death(victim)["reason"] == "RAY_KILL"
    with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
        ray.get(victim.pid.remote(), timeout=BOUND)


def test_k4_killing_the_dead_does_nothing(ray: ModuleType, notes: Notes) -> None:
    """Killing twice, or killing an actor that died of something else, changes nothing."""
    killed, left = mortal(ray, notes), mortal(ray, notes)
    ray.get(killed.pid.remote(), timeout=BOUND)
    ray.kill(killed)
    ray.kill(killed)
    wait_for_death(killed)
    ray.kill(killed)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(left.die.remote("die", "exit_actor"), timeout=BOUND)
    before = wait_for_death(left)
    ray.kill(left)
    ray.kill(left, no_restart=False)
    assert death(left) == before
    assert before["reason"] == "WORKER_DIED"


@pytest.mark.parametrize("thing", ["actor", None, 5, Mortal])
def test_k4_only_handles_can_be_killed(ray: ModuleType, thing: object) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError, match="handle"):
        ray.kill(thing)


@pytest.mark.parametrize("get_if_exists", [False, True])
def test_k5_a_name_is_reusable_right_after_kill(ray: ModuleType, notes: Notes, *, get_if_exists: bool) -> None:
    """In a loop without a wait: each creation succeeds, and each is a new actor whose predecessor is gone."""
    seen: set[int] = set()
    for _ in range(10):
        actor = mortal(ray, notes, name="again", get_if_exists=get_if_exists)
        pid = ray.get(actor.pid.remote(), timeout=BOUND)
        assert all(gone(before) for before in seen)
        seen.add(pid)
        ray.kill(actor)
        with pytest.raises(ValueError, match="again"):
            ray.get_actor("again")
    assert len(seen) == notes.count("init") == 10


def test_k5_detached_actors_are_destroyed(ray: ModuleType, notes: Notes) -> None:
    """A detached actor with endless restarts is dead after `kill`, and its name is free."""
    actor = mortal(ray, notes, name="kept", lifetime="detached", max_restarts=-1)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    ray.kill(ray.get_actor("kept"))
    with pytest.raises(ValueError, match="kept"):
        ray.get_actor("kept")
    wait_for_end(pid)
    assert wait_for_death(actor)["reason"] == "RAY_KILL"


def test_k6_kill_before_the_process_is_up(ray: ModuleType, notes: Notes) -> None:
    """Its pending calls raise, it counts as never started, and its constructor does not go on."""
    for _ in range(10):
        # On a busy machine the process may be up by then, but not further.
        actor = mortal(ray, notes, ("wait",))
        pending = actor.note.remote("pending")
        ray.kill(actor)
        with pytest.raises(ray.exceptions.ActorDiedError, match="never ran"):
            ray.get(pending, timeout=BOUND)
        cause = wait_for_death(actor)
        assert (cause["reason"], cause["never_started"]) == ("RAY_KILL", True)
    assert "pending" not in notes.lines()


def test_k6_kill_during_the_constructor(ray: ModuleType, notes: Notes) -> None:
    """The constructor is not waited for; the actor counts as never started."""
    actor = mortal(ray, notes, ("wait",), max_restarts=3)
    pending = actor.note.remote("pending")
    wait_until(lambda: notes.lines() == ["init"], what="the constructor")
    ray.kill(actor)
    wait_for_end(notes.pid)
    with pytest.raises(ray.exceptions.ActorDiedError, match="never ran"):
        ray.get(pending, timeout=BOUND)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["never_started"]) == ("RAY_KILL", True)
    assert notes.lines() == ["init"]


def test_k6_a_later_call_is_told_at_once_that_it_never_ran(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Also before anybody has worked off the death."""
    actor = mortal(ray, notes, ("wait",))
    wait_until(lambda: "init" in notes.lines(), what="the constructor")
    os.kill(on_stage.supervisor.pid, signal.SIGSTOP)
    try:
        ray.kill(actor)
        with pytest.raises(ray.exceptions.ActorDiedError, match="never ran"):
            ray.get(actor.pid.remote(), timeout=BOUND)
    finally:
        os.kill(on_stage.supervisor.pid, signal.SIGCONT)
    wait_for_death(actor)


def test_k7_a_stopped_process_is_killed(ray: ModuleType, notes: Notes) -> None:
    """SIGSTOP does not save an actor from `kill`."""
    actor = mortal(ray, notes)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    os.kill(pid, signal.SIGSTOP)
    pending = actor.note.remote("pending")
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
        ray.get(pending, timeout=BOUND)
    wait_for_end(pid)
    wait_for_death(actor)


def test_k7_kill_works_while_the_supervisor_is_stopped(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Calls after `kill` fail at once, the worker leaves by itself, and the supervisor does the rest later."""
    actor = mortal(ray, notes)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    os.kill(on_stage.supervisor.pid, signal.SIGSTOP)
    try:
        ray.kill(actor)
        with pytest.raises(ray.exceptions.ActorDiedError, match=KILLED):
            ray.get(actor.note.remote("late"), timeout=BOUND)
        wait_until(partial(gone, pid), what="the worker to leave by itself")
    finally:
        os.kill(on_stage.supervisor.pid, signal.SIGCONT)
    assert wait_for_death(actor)["reason"] == "RAY_KILL"
    assert "late" not in notes.lines()
