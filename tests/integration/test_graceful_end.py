"""G: the graceful end and `__ray_shutdown__`."""

import atexit
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.looking import beats, gone, record, state, wait_for_death, wait_for_end, wait_for_restart
from tests.support.mortals import LONG, Hooked, Mortal, Notes, pass_gate, pause
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.waiting import wait_until

import callboard

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10
HOOK = "hook on the main thread"
EXITED = r"exit_actor\(\) is called"


@pytest.fixture
def impatient(on_stage: Stage) -> ModuleType:
    """Join as a driver whose actors have one second for their end."""
    config = {"heartbeat_timeout_ms": HEARTBEAT_TIMEOUT * 1000, "actor_graceful_shutdown_timeout_ms": 1000}
    callboard.init(on_stage.address, _system_config=config)
    return callboard


def mortal(ray: ModuleType, notes: Notes, **options: Any) -> Any:
    """Create an actor."""
    return ray.remote(Mortal).options(**options).remote(str(notes.path))


def hooked(ray: ModuleType, notes: Notes, hook: Callable[[Notes], object], **options: Any) -> Any:
    """Create an actor with a hook."""
    return ray.remote(Hooked).options(**options).remote(str(notes.path), hook)


def hang(_notes: Notes) -> None:
    """Be a hook that does not come to its end."""
    pause(LONG)


def wait_at_gate(notes: Notes) -> None:
    """Be a hook that ends when it is told."""
    pass_gate(f"{notes.path}.gate")


@pytest.mark.parametrize("options", [{}, {"max_restarts": -1}, {"name": "kept", "lifetime": "detached"}])
def test_g1_terminate_is_a_call_like_others(ray: ModuleType, notes: Notes, options: dict[str, Any]) -> None:
    """Calls before it finish, its own ref and later ones raise, hook and atexit run, and there is no restart."""
    actor = mortal(ray, notes, **options)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    before = [actor.note.remote(f"{number}") for number in range(3)]
    leaving = actor.__ray_terminate__.remote()
    after = [actor.note.remote("after"), actor.__ray_terminate__.remote()]
    assert ray.get(before, timeout=BOUND) == ["0", "1", "2"]
    for ref in [leaving, *after, actor.note.remote("later")]:
        with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
            ray.get(ref, timeout=BOUND)
    wait_for_end(pid)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["exit_type"]) == ("WORKER_DIED", "INTENDED_USER_EXIT")
    assert notes.lines() == ["init", "0", "1", "2", HOOK, "atexit"]
    with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
        ray.get(actor.__ray_terminate__.remote(), timeout=BOUND)
    if "name" in options:
        with pytest.raises(ValueError, match="kept"):
            ray.get_actor("kept")


def test_g1_terminate_before_the_process_is_up(ray: ModuleType, notes: Notes) -> None:
    """Calls before it run all the same."""
    actor = mortal(ray, notes)
    before, leaving = actor.note.remote("before"), actor.__ray_terminate__.remote()
    assert ray.get(before, timeout=BOUND) == "before"
    with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
        ray.get(leaving, timeout=BOUND)
    wait_for_death(actor)
    assert notes.lines() == ["init", "before", HOOK, "atexit"]


@pytest.mark.parametrize("way", ["scope", "__ray_terminate__", "exit_actor", "sys.exit(0)", "sys.exit(3)", "SIGTERM"])
def test_g2_g3_the_hook_runs_exactly_once_on_the_main_thread(ray: ModuleType, notes: Notes, way: str) -> None:
    """On each way out that is no crash: after all calls, then atexit."""
    actor = mortal(ray, notes)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    refs = [actor.note.remote("last")]
    if way == "__ray_terminate__":
        actor.__ray_terminate__.remote()
    elif way == "SIGTERM":
        ray.get(refs, timeout=BOUND)
        os.kill(pid, signal.SIGTERM)
    elif way != "scope":
        actor.die.remote("last", way, 2)
    del actor
    wait_for_end(pid)
    assert ray.get(refs, timeout=BOUND) == ["last"]
    lines = notes.lines()
    assert lines[-2:] == [HOOK, "atexit"]
    assert lines.count(HOOK) == 1
    assert set(lines[:-2]) == {"init", "last"}


@pytest.mark.parametrize("way", ["kill", "SIGKILL", "os._exit(0)"])
def test_g2_the_hook_does_not_run_on_kill_and_crash(ray: ModuleType, notes: Notes, way: str) -> None:
    """Neither does atexit."""
    actor = mortal(ray, notes)
    ray.get(actor.pid.remote(), timeout=BOUND)
    if way == "kill":
        ray.kill(actor)
    else:
        actor.die.remote("init", way, 2)
    wait_for_death(actor)
    assert set(notes.lines()) == {"init"}


def test_g2_the_hook_does_not_run_when_the_owner_crashes(ray: ModuleType, notes: Notes) -> None:
    """The actor of an actor that is killed dies at once."""
    owner = mortal(ray, Notes(notes.path.with_name("owner")))
    child_pid = ray.get(owner.__ray_call__.remote(_have_child, str(notes.path)), timeout=BOUND)
    ray.kill(owner)
    wait_for_end(child_pid)
    assert notes.lines() == ["init"]


def _have_child(self: Mortal, notes: str) -> Any:
    child: callboard.ActorHandle = callboard.remote(Mortal).remote(notes)
    self.child_handle = child  # type: ignore[attr-defined] # kept as long as the actor
    return callboard.get(child.pid.remote())


def test_g3_remote_calls_inside_the_hook_work(ray: ModuleType, notes: Notes) -> None:
    """It can call others, create, put and get."""
    friend = mortal(ray, Notes(notes.path.with_name("friend")))

    def hook(notes: Notes) -> None:
        notes.add(callboard.get(friend.note.remote("from the hook")))
        notes.add(callboard.get(callboard.put("put")))
        other: callboard.ActorHandle = callboard.remote(Mortal).remote(f"{notes.path}.other")
        notes.add(callboard.get(other.note.remote("from another")))

    actor = hooked(ray, notes, hook)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    del actor
    wait_for_end(pid)
    assert notes.lines() == ["hook", "from the hook", "put", "from another", "hook done", "atexit"]


def test_g3_an_async_hook_is_reported(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """At decoration by a warning, and in the log by an error when it would have run."""

    class AsyncHook(Mortal):
        async def __ray_shutdown__(self) -> None:  # type: ignore[override]
            self._notes.add("hook")

    with pytest.warns(UserWarning, match=r"AsyncHook\.__ray_shutdown__ is async"):
        actor_class = ray.remote(AsyncHook)
    actor = actor_class.remote(str(notes.path))
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    actor.__ray_terminate__.remote()
    wait_for_end(pid)
    assert notes.lines() == ["init", "atexit"]
    assert "is async and did not run" in on_stage.output("AsyncHook")


def _raise(_notes: Notes) -> None:
    raise LookupError("the hook fails on purpose")


def _sys_exit(_notes: Notes) -> None:
    raise SystemExit(5)


def _exit_actor(_notes: Notes) -> None:
    callboard.actor.exit_actor()


@pytest.mark.parametrize(
    ("hook", "words"),
    [(_raise, "LookupError: the hook fails"), (_sys_exit, "SystemExit: 5"), (_exit_actor, "exit_actor")],
)
def test_g4_what_the_hook_raises_is_logged(
    ray: ModuleType, on_stage: Stage, notes: Notes, hook: Callable[[Notes], object], words: str
) -> None:
    """With its traceback, and the actor ends as it would have."""
    actor = hooked(ray, notes, hook)
    ray.get(actor.pid.remote(), timeout=BOUND)
    leaving = actor.__ray_terminate__.remote()
    with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
        ray.get(leaving, timeout=BOUND)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["hook", "atexit"]
    log = (on_stage.log_dir / f"Hooked-{actor._actor_id}.err").read_text()
    assert "Error during actor __ray_shutdown__ method" in log
    assert "Traceback" in log
    assert hook.__name__ in log
    assert words in log


def test_g4_a_hook_with_a_wrong_signature_is_logged(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """It does not keep the actor either."""

    class WrongHook(Mortal):
        def __ray_shutdown__(self, wanted: int) -> None:  # type: ignore[override]
            self._notes.add(f"hook {wanted}")

    actor = ray.remote(WrongHook).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    actor.__ray_terminate__.remote()
    wait_for_death(actor)
    assert notes.lines() == ["init", "atexit"]
    assert "missing 1 required positional argument: 'wanted'" in on_stage.output("WrongHook")


@pytest.mark.parametrize("way", ["scope", "__ray_terminate__", "sys.exit(0)"])
def test_g5_an_end_that_takes_too_long_is_made_short(impatient: ModuleType, notes: Notes, way: str) -> None:
    """The process group is killed after the timeout, and the death cause says so."""
    ray = impatient
    actor = hooked(ray, notes, hang, max_restarts=-1)
    observer = ray.util.state
    actor_id = actor._actor_id
    pid, child = ray.get([actor.pid.remote(), actor.child.remote()], timeout=BOUND)
    if way == "__ray_terminate__":
        actor.__ray_terminate__.remote()
    elif way == "sys.exit(0)":
        actor.leave.remote(0)
    del actor
    wait_until(lambda: notes.lines() == ["hook"], what="the hook")
    assert not gone(pid)
    wait_for_end(pid)
    wait_for_end(child)
    dead = wait_until(lambda: _dead(observer, actor_id), what="the actor to be DEAD")
    context = dead.death_cause["actor_died_error_context"]
    assert context["reason"] == "GRACEFUL_TIMEOUT"
    assert "took longer than 1 s" in context["error_message"]
    assert notes.lines() == ["hook"]


def _dead(observer: Any, actor_id: str) -> Any:
    found = observer.get_actor(actor_id)
    return found if found.state == "DEAD" else None


def test_g5_the_time_counts_from_the_end_of_the_calls(impatient: ModuleType, notes: Notes) -> None:
    """A call that runs longer than the timeout is not cut short by an end that waits for it."""
    ray = impatient
    gate = f"{notes.path}.gate"
    actor = mortal(ray, notes)
    running = actor.behind.remote(gate)
    wait_until(lambda: "behind" in notes.lines(), what="the call to run")
    pid = notes.pid
    del actor
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(running, timeout=2)
    assert not gone(pid)
    Path(gate).touch()
    assert ray.get(running, timeout=BOUND) == "behind"
    wait_for_end(pid)
    assert notes.lines() == ["init", "behind", HOOK, "atexit"]


def test_g5_a_crash_with_a_hook_that_hangs_is_still_restarted(impatient: ModuleType, notes: Notes) -> None:
    """`sys.exit(3)` counts as a crash, however its hook ends."""
    ray = impatient
    actor = hooked(ray, notes, hang, max_restarts=1)
    first = ray.get(actor.pid.remote(), timeout=BOUND)
    leaving = actor.leave.remote(3)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(leaving, timeout=BOUND)
    wait_for_restart(actor, 1)
    assert ray.get(actor.pid.remote(), timeout=BOUND) != first
    ray.kill(actor)


def test_g6_the_state_is_alive_while_the_hook_runs(ray: ModuleType, notes: Notes) -> None:
    """ALIVE and marked as ending; DEAD means that the process is gone, and only then a successor of its name starts."""
    actor = hooked(ray, notes, wait_at_gate, name="bearer")
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    leaving = actor.__ray_terminate__.remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(leaving, timeout=BOUND)
    wait_until(lambda: "hook" in notes.lines(), what="the hook")
    for _ in range(20):
        found = state(actor)
        assert (found.state, found.ending, found.death_cause) == ("ALIVE", True, None)
        assert not gone(pid)
    with pytest.raises(ray.exceptions.ActorAlreadyExistsError):
        mortal(ray, notes, name="bearer")
    Path(f"{notes.path}.gate").touch()
    wait_for_death(actor)
    assert gone(pid)
    successor = mortal(ray, notes, name="bearer")
    assert ray.get(successor.pid.remote(), timeout=BOUND) != pid


def test_g6_dead_means_gone_for_killed_actors_too(ray: ModuleType, notes: Notes) -> None:
    """Whenever the state is DEAD the process has ended."""
    for _ in range(5):
        actor = mortal(ray, notes)
        pid = ray.get(actor.pid.remote(), timeout=BOUND)
        ray.kill(actor)
        wait_for_death(actor)
        assert gone(pid)


class Tidy:
    """Leave at once, and tidy up at exit when a gate opens."""

    def __init__(self, notes: str, gate: str) -> None:
        atexit.register(self._tidy, Notes(notes), gate)
        callboard.actor.exit_actor()

    @staticmethod
    def _tidy(notes: Notes, gate: str) -> None:
        notes.add("tidying")
        pass_gate(gate)
        notes.add("tidy")


def test_x6_a_constructor_that_leaves_may_tidy_up(ray: ModuleType, on_stage: Stage, notes: Notes, gate: Path) -> None:
    """However often its supervisor looks meanwhile: it has as long for its end as any other."""
    actor = ray.remote(Tidy).remote(str(notes.path), str(gate))
    wait_until(lambda: "tidying" in notes.lines(), what="the end to begin")
    node = record(on_stage, actor._actor_id).node
    before = beats(on_stage, node)
    wait_until(lambda: beats(on_stage, node) > before + 2, what="the supervisor to look")
    gate.touch()
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["tidying", "tidy"]
