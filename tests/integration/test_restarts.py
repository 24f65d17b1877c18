"""R1, R2, R11, R12, R13: restarts."""

import itertools
import os
import signal
import statistics
import time
from types import ModuleType
from typing import Any

import pytest
from tests.support.looking import state, wait_for_death, wait_for_end, wait_for_restart
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard_broker.wire import entries, fields

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10


def mortal(ray: ModuleType, notes: Notes, first: tuple[str, ...] = ("live",), **options: Any) -> Any:
    """Create an actor."""
    return ray.remote(Mortal).options(**options).remote(str(notes.path), first)


def test_r1_restarts_are_counted_and_run_out(ray: ModuleType, notes: Notes) -> None:
    """Same actor, new process, same constructor arguments each time; when used up, death that says so."""
    actor = mortal(ray, notes, max_restarts=2)
    pids = []
    for restart in range(3):
        pids.append(ray.get(actor.pid.remote(), timeout=BOUND))
        assert state(actor).num_restarts == restart
        assert state(actor).pid == pids[-1]
        os.kill(pids[-1], signal.SIGKILL)
        if restart < 2:
            wait_for_restart(actor, restart + 1)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["actor_id"]) == ("WORKER_DIED", actor._actor_id)
    assert "SIGKILL" in cause["error_message"]
    assert "2 of 2" in cause["error_message"]
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError, match="SIGKILL"):
            ray.get(actor.pid.remote(), timeout=BOUND)
    assert len(set(pids)) == notes.count("init") == 3


def test_r1_no_restart_by_default(ray: ModuleType, notes: Notes) -> None:
    """`max_restarts` is 0."""
    actor = mortal(ray, notes)
    os.kill(ray.get(actor.pid.remote(), timeout=BOUND), signal.SIGKILL)
    assert "max_restarts=0" in wait_for_death(actor)["error_message"]
    assert notes.lines() == ["init"]


def test_r1_restarts_for_ever(ray: ModuleType, notes: Notes) -> None:
    """With -1 the actor comes back from every crash, and its name stays its own meanwhile."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1, name="for ever")
    assert ray.get(actor.die.remote("die", "os._exit(7)", 6), timeout=30) == "die"
    assert state(actor).num_restarts == 6
    assert ray.get_actor("for ever") == actor
    assert notes.lines() == ["init", "die"] * 7


def test_r1_a_name_is_held_while_restarting(ray: ModuleType, notes: Notes) -> None:
    """Looking it up works, and nobody else gets it."""
    actor = mortal(ray, notes, ("live", "wait"), max_restarts=-1, name="held")
    os.kill(ray.get(actor.pid.remote(), timeout=BOUND), signal.SIGKILL)
    wait_until(lambda: state(actor).state == "RESTARTING", what="the restart")
    assert ray.get_actor("held") == actor
    with pytest.raises(ray.exceptions.ActorAlreadyExistsError):
        mortal(ray, notes, name="held")


def test_r1_the_last_handle_of_a_restarting_actor(ray: ModuleType, notes: Notes) -> None:
    """A call that was made before it went still runs; then the actor ends as usual."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1)
    ref = actor.die.remote()
    wait_until(lambda: "die" in notes.lines(), what="the crash")
    del actor
    assert ray.get(ref, timeout=BOUND) == "die"
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", "die", "init", "die", "hook on the main thread", "atexit"]


def test_r1_constructor_arguments_that_are_references(ray: ModuleType, notes: Notes) -> None:
    """They are there for every incarnation, also when nobody else holds them any more."""
    path = ray.put(str(notes.path))
    actor = ray.remote(Mortal).options(max_restarts=2, max_task_retries=-1).remote(path)
    del path
    assert ray.get(actor.die.remote("die", "SIGKILL", 2), timeout=BOUND) == "die"
    assert notes.count("init") == 3


def test_r2_a_restarted_incarnation_knows(ray: ModuleType, notes: Notes) -> None:
    """`was_current_actor_reconstructed` is false in the first process and true in each later one."""
    actor = mortal(ray, notes, max_restarts=1, max_task_retries=1)
    assert ray.get(actor.reconstructed.remote(), timeout=BOUND) is False
    assert ray.get(actor.die.remote(), timeout=BOUND) == "die"
    assert ray.get(actor.reconstructed.remote(), timeout=BOUND) is True


class Memory:
    def __init__(self) -> None:
        self._value = 0

    def add(self) -> int:
        self._value += 1
        return self._value

    def crash(self) -> None:
        os._exit(1)


def test_r13_state_is_not_restored(ray: ModuleType) -> None:
    """A new incarnation begins as its constructor leaves it."""
    actor = ray.remote(Memory).options(max_restarts=1).remote()
    assert ray.get([actor.add.remote(), actor.add.remote()], timeout=BOUND) == [1, 2]
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(actor.crash.remote(), timeout=BOUND)
    wait_for_restart(actor, 1)
    assert ray.get(actor.add.remote(), timeout=BOUND) == 1


def _measured(what: str, seconds: list[float]) -> float:
    median = statistics.median(seconds)
    print(f"{what}: median {median * 1000:.0f} ms, max {max(seconds) * 1000:.0f} ms of {len(seconds)}")  # noqa: T201
    return median


def test_r11_a_crash_is_told_and_mended_quickly(ray: ModuleType) -> None:
    """From SIGKILL to the caller's error, and to an answer of the new incarnation; the bounds are generous."""

    class Quick:
        def pid(self) -> int:
            return os.getpid()

        def long(self) -> None:
            Mortal.long(self)  # type: ignore[arg-type] # never comes that far

    errors, answers = [], []
    for _ in range(5):
        actor = ray.remote(Quick).options(max_restarts=1).remote()
        pid = ray.get(actor.pid.remote(), timeout=BOUND)
        event = actor.__ray_call__.remote(_wait_long)
        wait_until(lambda actor=actor: state(actor).current_call, what="the call to run")  # type: ignore[misc]
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ray.exceptions.ActorUnavailableError):
            ray.get(event, timeout=BOUND)
        errors.append(time.monotonic() - began)
        assert ray.get(actor.pid.options(max_task_retries=-1).remote(), timeout=BOUND) != pid
        answers.append(time.monotonic() - began)
    assert _measured("SIGKILL to the caller's error", errors) < 2
    assert _measured("SIGKILL to an answer of the new incarnation", answers) < 5


def _wait_long(_self: object) -> None:
    import threading  # noqa: PLC0415 - the function travels by value

    threading.Event().wait(60)


def test_r12_a_crash_loop_goes_on_but_is_spaced(ray: ModuleType, notes: Notes) -> None:
    """A constructor that crashes is restarted again and again, at once first, then slower and slower."""
    actor = mortal(ray, notes, ("os._exit(7)",), max_restarts=-1)
    began = time.monotonic()
    wait_until(lambda: notes.count("init") >= 5, what="four restarts")
    # Three of the four restarts were spaced, by at least 25, 50 and 100 ms.
    assert time.monotonic() - began > 0.175
    restarts = state(actor).num_restarts
    assert restarts < 50
    # With retries, as calls without are turned away some time while an actor restarts, perhaps before the kill.
    pending = actor.pid.options(max_task_retries=-1).remote()
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError, match="killed"):
        ray.get(pending, timeout=BOUND)


def test_r12_a_spaced_restart_does_not_delay_an_end(ray: ModuleType, notes: Notes) -> None:
    """An actor that waits for its next restart is ended at once when its last handle goes."""
    actor = mortal(ray, notes, ("os._exit(7)",), max_restarts=-1)
    wait_until(lambda: notes.count("init") >= 5, what="four restarts")
    actor_id = actor._actor_id
    del actor
    dead = wait_until(lambda: _dead(ray, actor_id), what="the end")
    assert dead.death_cause["actor_died_error_context"]["never_started"]


def _dead(ray: ModuleType, actor_id: str) -> Any:
    found = ray.util.state.get_actor(actor_id)
    return found if found.state == "DEAD" else None


def test_r12_a_constructor_that_crashes_in_a_loop_is_run_ever_less_often(
    ray: ModuleType, on_stage: Stage, notes: Notes
) -> None:
    """The first restart comes at once, and each later one after about twice the time of the one before."""
    actor = mortal(ray, notes, ("SIGKILL",), max_restarts=-1)
    wait_until(lambda: notes.count("init") == 8, what="the constructor to run", timeout=30)
    events = entries(on_stage.wire.call("XRANGE", on_stage.broker.keys.events, "-", "+"))
    told = [(entry, fields(flat or [])) for entry, flat in events]
    begun = [
        int(entry.partition(b"-")[0])
        for entry, about in told
        if (about.get("actor"), about.get("event")) == (actor._actor_id.encode(), b"restarting")
    ]
    pauses = [later - before for before, later in itertools.pairwise(begun)]
    assert len(pauses) >= 5
    assert pauses[-1] + pauses[-2] > 2 * (pauses[0] + pauses[1])
    ray.kill(actor)
