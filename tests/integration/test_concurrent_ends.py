"""X, G, K, R on actors that run several calls at once: each way out, on each kind."""

import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.kinds import KINDS, Swift, create
from tests.support.looking import state, wait_for_death, wait_for_end, wait_for_restart
from tests.support.mortals import Notes
from tests.support.waiting import wait_until

BOUND = 10
HOOK = "hook on the main thread"


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Run the test for each kind."""
    return str(request.param)


def holding(actor: Any, notes: Notes, gate: Path, number: int = 1) -> list[Any]:
    """Start calls that wait for the gate."""
    refs = [actor.hold.remote(str(gate), f"held {index}") for index in range(number)]
    wait_until(lambda: all(f"held {index} began" in notes.lines() for index in range(number)), what="the calls to run")
    return refs


def raises(ray: ModuleType, ref: Any, error: type[Exception], match: str | None = None) -> None:
    """Check that a reference has an error."""
    with pytest.raises(error, match=match):
        ray.get(ref, timeout=BOUND)


def test_x1_exit_actor_lets_what_runs_finish(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Running calls return, waiting and later ones raise, the hook runs on the main thread; no restart."""
    actor = create(kind, notes, at_once=2, max_restarts=-1, max_task_retries=-1)
    (running,) = holding(actor, notes, gate)
    leaving = actor.leave.remote("leaving", "exit_actor")
    wait_until(lambda: "leaving" in notes.lines(), what="the exit")
    waiting = [actor.note.remote("never") for _ in range(3)]
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "held 0"
    for ref in [leaving, *waiting, actor.note.remote("later")]:
        raises(ray, ref, ray.exceptions.ActorDiedError, r"exit_actor\(\) is called")
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["exit_type"]) == ("WORKER_DIED", "INTENDED_USER_EXIT")
    assert notes.lines()[1:] == ["held 0 began", "leaving", "held 0 ended", HOOK, "atexit"]
    assert state(actor).num_restarts == 0


def test_x1_exit_actor_that_is_swallowed(ray: ModuleType, notes: Notes, kind: str) -> None:
    """The call that swallowed what it raises does not return anything, and cannot keep the actor."""
    actor = create(kind, notes)
    raises(ray, actor.leave_swallowed.remote(), ray.exceptions.ActorDiedError, r"exit_actor\(\) is called")
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines()[1:] == [HOOK, "atexit"]


def test_x1_exit_actor_in_a_background_thread(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """The actor ends when no method runs."""
    actor = create(kind, notes)
    assert ray.get(actor.exit_later.remote(str(gate)), timeout=BOUND) == "soon"
    gate.touch()
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines()[1:] == [HOOK, "atexit"]


def test_x1_exit_actor_in_a_background_task(ray: ModuleType, notes: Notes) -> None:
    """The coroutine that made the task belongs to the exit."""
    actor = create("async", notes)
    raises(ray, actor.leave_in_task.remote(), ray.exceptions.ActorDiedError, r"exit_actor\(\) is called")
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"


@pytest.mark.parametrize("way", ["sys.exit(0)", "sys.exit()"])
def test_x3_an_intended_sys_exit(ray: ModuleType, notes: Notes, kind: str, way: str) -> None:
    """It is like `exit_actor`, also from a coroutine: no restart."""
    actor = create(kind, notes, max_restarts=1)
    raises(ray, actor.leave.remote("leaving", way), ray.exceptions.ActorDiedError)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["init", "leaving", HOOK, "atexit"]


def test_x3_an_unintended_sys_exit(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """It counts as a crash, runs the hook, and tells its code; what ran is charged, and coroutines are cancelled."""
    actor = create(kind, notes, max_restarts=1)
    (running,) = holding(actor, notes, gate)
    leaving = actor.leave.remote("leaving", "sys.exit(3)", 2)
    for ref in (running, leaving):
        raises(ray, ref, ray.exceptions.ActorUnavailableError)
    wait_for_restart(actor, 1)
    lines = [line for line in notes.lines() if line != "held 0 cancelled"]
    assert lines == ["init", "held 0 began", "leaving", HOOK, "atexit", "init"]
    raises(ray, actor.leave.remote("leaving", "sys.exit(3)", 2), ray.exceptions.ActorDiedError, "exit code 3")
    assert "exit code 3" in wait_for_death(actor)["error_message"]


@pytest.mark.parametrize("way", ["SIGKILL", "os._exit(7)"])
def test_x4_a_crash_has_no_hook(ray: ModuleType, notes: Notes, gate: Path, kind: str, way: str) -> None:
    """All that ran is lost, what had finished is not."""
    actor = create(kind, notes, at_once=5)
    finished = [actor.note.remote(f"{number}") for number in range(20)]
    # They leave room for one call, so what is to leave begins when all the others have finished.
    running = holding(actor, notes, gate, 4)
    leaving = actor.leave.remote("leaving", way)
    for ref in [*running, leaving]:
        raises(ray, ref, ray.exceptions.ActorDiedError, "SIGKILL" if way == "SIGKILL" else "exit code 7")
    assert ray.get(finished, timeout=BOUND) == [f"{number}" for number in range(20)]
    wait_for_death(actor)
    assert not {HOOK, "atexit"} & set(notes.lines())


def test_x4_sigterm_from_outside(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """The hook runs, it counts as a crash, and what ran is run again if it may be."""
    actor = create(kind, notes, max_restarts=1, max_task_retries=1)
    (running,) = holding(actor, notes, gate)
    os.kill(ray.get(actor.pid.remote(), timeout=BOUND), signal.SIGTERM)
    wait_for_restart(actor, 1)
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "held 0"
    lines = notes.lines()
    assert lines[lines.index(HOOK) : lines.index(HOOK) + 3] == [HOOK, "atexit", "init"]


@pytest.mark.parametrize("method", ["stubborn", "distort"])
def test_x4_sigterm_that_is_swallowed(ray: ModuleType, notes: Notes, method: str) -> None:
    """What a coroutine makes of being interrupted is no outcome: it is charged, and it counts as a crash."""
    actor = create("async", notes, max_restarts=1)
    running = getattr(actor, method).remote()
    wait_until(lambda: method in notes.lines(), what="the call to run")
    os.kill(notes.pid, signal.SIGTERM)
    raises(ray, running, ray.exceptions.ActorUnavailableError)
    wait_for_restart(actor, 1)
    assert notes.lines() == ["init", method, HOOK, "atexit", "init"]


def test_x5_interrupts_raised_by_a_method_are_its_errors(ray: ModuleType, notes: Notes, kind: str) -> None:
    """KeyboardInterrupt and GeneratorExit are errors of the call; the actor lives."""
    actor = create(kind, notes)
    for error in (KeyboardInterrupt(), GeneratorExit()):
        raises(ray, actor.raises.remote(error), ray.exceptions.RayTaskError)
    assert ray.get(actor.note.remote("alive"), timeout=BOUND) == "alive"


def test_g1_terminate_waits_for_the_calls_before_it(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Running and waiting calls before it finish, those after it raise, then the hook runs."""
    actor = create(kind, notes, at_once=2, max_restarts=-1)
    running = holding(actor, notes, gate, 2)
    waiting = [actor.note.remote(f"before {number}") for number in range(5)]
    terminate = actor.__ray_terminate__.remote()
    after = actor.note.remote("after")
    gate.touch()
    assert ray.get(running, timeout=BOUND) == ["held 0", "held 1"]
    assert ray.get(waiting, timeout=BOUND) == [f"before {number}" for number in range(5)]
    for ref in (terminate, after):
        raises(ray, ref, ray.exceptions.ActorDiedError)
    wait_for_death(actor)
    assert notes.lines()[-2:] == [HOOK, "atexit"]
    assert "after" not in notes.lines()


def test_h1_out_of_scope_lets_calls_finish(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Dropping the last handle ends the actor after all calls that were made."""
    actor = create(kind, notes, at_once=2)
    refs = [actor.hold.remote(str(gate), f"{number}") for number in range(6)]
    identity = actor._actor_id
    del actor
    gate.touch()
    assert ray.get(refs, timeout=BOUND) == [f"{number}" for number in range(6)]
    assert wait_for_death(identity)["reason"] == "OUT_OF_SCOPE"
    assert notes.lines()[-2:] == [HOOK, "atexit"]


def test_g3_tasks_of_its_own_end_before_the_hook(ray: ModuleType, notes: Notes) -> None:
    """What a constructor started on the loop is cancelled; the hook runs beside no loop."""

    class Background(Swift):
        def __init__(self, notes: str) -> None:
            import asyncio  # noqa: PLC0415 - pickled by value

            super().__init__(notes)
            self._task = asyncio.get_running_loop().create_task(self.hold("nowhere", "background"))

        def __ray_shutdown__(self) -> None:
            import asyncio  # noqa: PLC0415 - pickled by value

            self._notes.add(f"done {self._task.done()}, loop {asyncio._get_running_loop()}")

    actor = ray.remote(Background).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    identity = actor._actor_id
    del actor
    wait_for_death(identity)
    assert notes.lines()[1:] == ["background began", "background cancelled", "done True, loop None", "atexit"]


def test_k1_kill_ends_all_that_runs(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Running, waiting and later calls raise; no hook."""
    actor = create(kind, notes, at_once=2)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    refs = [*holding(actor, notes, gate, 2), actor.note.remote("never")]
    ray.kill(actor)
    wait_for_end(pid)
    for ref in [*refs, actor.note.remote("later")]:
        raises(ray, ref, ray.exceptions.ActorDiedError)
    assert wait_for_death(actor)["reason"] == "RAY_KILL"
    assert sorted(notes.lines()[1:]) == ["held 0 began", "held 1 began"]


def test_k3_kill_with_restart(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """What ran raises, what waited runs in the next incarnation."""
    actor = create(kind, notes, at_once=2, max_restarts=1)
    running = holding(actor, notes, gate, 2)
    waiting = [actor.note.remote(f"waited {number}") for number in range(5)]
    wait_until(lambda: state(actor).mailbox_length == 7, what="the calls to be there")
    ray.kill(actor, no_restart=False)
    for ref in running:
        raises(ray, ref, ray.exceptions.ActorUnavailableError)
    assert ray.get(waiting, timeout=BOUND) == [f"waited {number}" for number in range(5)]
    assert state(actor).num_restarts == 1


def test_r10_only_what_is_incomplete_runs_again(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """After a crash, calls that had returned do not run again; the others do."""
    actor = create(kind, notes, at_once=3, max_restarts=1, max_task_retries=-1)
    done = [actor.note.remote(f"{number}") for number in range(20)]
    assert ray.get(done, timeout=BOUND) == [f"{number}" for number in range(20)]
    running = holding(actor, notes, gate, 2)
    gate_of_last = actor.leave.remote("leaving", "SIGKILL")
    wait_for_restart(actor, 1)
    gate.touch()
    assert ray.get([*running, gate_of_last], timeout=BOUND) == ["held 0", "held 1", "leaving"]
    lines = notes.lines()
    assert [lines.count(f"{number}") for number in range(20)] == [1] * 20
    assert [lines.count(line) for line in ("held 0 began", "held 1 began", "leaving")] == [2, 2, 2]


def test_r4_without_retries_what_ran_is_unavailable(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Only what had started is charged; what waited behind the limit runs."""
    actor = create(kind, notes, at_once=3, max_restarts=1)
    running = holding(actor, notes, gate, 2)
    leaving = actor.leave.remote("leaving", "SIGKILL")
    for ref in [*running, leaving]:
        raises(ray, ref, ray.exceptions.ActorUnavailableError)
    wait_for_restart(actor, 1)
    assert ray.get(actor.note.remote("after"), timeout=BOUND) == "after"


def test_r9_retry_exceptions(ray: ModuleType, notes: Notes, kind: str) -> None:
    """What a method raises is retried in place, also in a coroutine."""
    actor = create(kind, notes, max_task_retries=3)
    method = actor.leave.options(retry_exceptions=[LookupError])
    assert ray.get(method.remote("again", "raise", 3), timeout=BOUND) == "again"
    assert notes.count("again") == 4
