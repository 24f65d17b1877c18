"""X: `exit_actor` and other ways out."""

import contextlib
import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.looking import state, wait_for_death, wait_for_end, wait_for_restart, wait_until_posted
from tests.support.mortals import Mortal, Notes, crash, pause
from tests.support.stage import Stage
from tests.support.waiting import wait_until

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10
HOOK = "hook on the main thread"
EXITED = r"exit_actor\(\) is called"


def mortal(ray: ModuleType, notes: Notes, first: tuple[str, ...] = ("live",), **options: Any) -> Any:
    """Create an actor."""
    return ray.remote(Mortal).options(**options).remote(str(notes.path), first)


def test_x1_exit_actor_in_a_method(ray: ModuleType, notes: Notes) -> None:
    """Calls before it have run, the exiting one and later ones raise; hook and atexit run; there is no restart."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    before = [actor.note.remote(f"before {number}") for number in range(3)]
    leaving = actor.die.remote("leaving", "exit_actor")
    after = [actor.note.remote("after") for _ in range(3)]
    assert ray.get(before, timeout=BOUND) == [f"before {number}" for number in range(3)]
    for ref in [leaving, *after, actor.note.remote("later")]:
        with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
            ray.get(ref, timeout=BOUND)
    wait_for_end(pid)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["exit_type"]) == ("WORKER_DIED", "INTENDED_USER_EXIT")
    assert notes.lines() == ["init", "before 0", "before 1", "before 2", "leaving", HOOK, "atexit"]
    assert state(actor).num_restarts == 0


def test_x1_calls_of_other_callers_before_it_have_run(ray: ModuleType, notes: Notes) -> None:
    """What another process has submitted before runs; what it submits afterwards raises."""
    actor, other = mortal(ray, notes), mortal(ray, Notes(notes.path.with_name("other")))
    gate = notes.path.with_name("gate")
    ray.get([actor.pid.remote(), other.pid.remote()], timeout=BOUND)
    running = actor.behind.remote(str(gate))
    ray.get(other.__ray_call__.remote(_submit, actor, 3), timeout=BOUND)
    leaving = actor.die.remote("leaving", "exit_actor")
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "behind"
    with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
        ray.get(leaving, timeout=BOUND)
    wait_for_death(actor)
    assert notes.lines()[1:6] == ["behind", "other 0", "other 1", "other 2", "leaving"]


def _submit(_self: Mortal, actor: Any, number: int) -> None:
    for index in range(number):
        actor.note.remote(f"other {index}")


def test_x1_exit_actor_that_is_swallowed(ray: ModuleType, notes: Notes) -> None:
    """A method that catches BaseException cannot keep the actor."""
    actor = mortal(ray, notes, max_restarts=1)
    leaving, after = actor.exit_swallowed.remote(), actor.note.remote("after")
    for ref in (leaving, after):
        with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
            ray.get(ref, timeout=BOUND)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["init", HOOK, "atexit"]


def test_x1_exit_actor_in_a_thread_of_a_running_method(ray: ModuleType, notes: Notes) -> None:
    """The running call is not the exiting one: it gets its result. Calls behind it raise."""
    actor = mortal(ray, notes, max_restarts=1)
    running = actor.exit_in_thread.remote(str(notes.path.with_name("gate")))
    wait_until(lambda: "left" in notes.lines(), what="exit_actor() in the thread")
    assert ray.get(running, timeout=BOUND) == "still here"
    with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
        ray.get(actor.note.remote("after"), timeout=BOUND)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["init", "left", HOOK, "atexit"]


def test_x1_exit_actor_in_a_thread_of_an_idle_actor(ray: ModuleType, notes: Notes) -> None:
    """An actor that waits for calls leaves at once, not with the next call."""
    actor = mortal(ray, notes, max_restarts=1)
    gate = notes.path.with_name("gate")
    assert ray.get(actor.exit_later.remote(str(gate)), timeout=BOUND) == "soon"
    gate.touch()
    assert wait_for_death(actor, timeout=5)["exit_type"] == "INTENDED_USER_EXIT"
    with pytest.raises(ray.exceptions.ActorDiedError, match=EXITED):
        ray.get(actor.note.remote("after"), timeout=BOUND)
    assert notes.lines() == ["init", HOOK, "atexit"]


def test_x2_exit_actor_outside_an_actor(ray: ModuleType) -> None:
    """In the driver it is a TypeError."""
    with pytest.raises(TypeError, match="outside an actor"):
        ray.actor.exit_actor()


@pytest.mark.parametrize(("way", "words"), [("sys.exit(3)", "exit code 3"), ("sys.exit(words)", "exit code 1")])
def test_x3_sys_exit_with_a_code_is_unintended(ray: ModuleType, notes: Notes, way: str, words: str) -> None:
    """Hook and atexit run; the cause is SYSTEM_ERROR with the exit code."""
    actor = mortal(ray, notes)
    with pytest.raises(ray.exceptions.ActorDiedError, match=words):
        ray.get(actor.die.remote("die", way), timeout=BOUND)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["exit_type"]) == ("WORKER_DIED", "SYSTEM_ERROR")
    assert words in cause["error_message"]
    assert notes.lines() == ["init", "die", HOOK, "atexit"]


def test_x3_sys_exit_with_a_code_is_followed_by_a_restart(ray: ModuleType, notes: Notes) -> None:
    """Where restarts are allowed the actor comes back, and the call is run again if it may be."""
    actor = mortal(ray, notes, max_restarts=1, max_task_retries=1)
    refs = [actor.die.remote("die", "sys.exit(3)"), actor.note.remote("next")]
    assert ray.get(refs, timeout=BOUND) == ["die", "next"]
    assert notes.lines() == ["init", "die", HOOK, "atexit", "init", "die", "next"]


@pytest.mark.parametrize("way", ["sys.exit(0)", "sys.exit()"])
def test_x3_sys_exit_without_a_code_is_intended(ray: ModuleType, notes: Notes, way: str) -> None:
    """It is like `exit_actor`: no restart."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1)
    leaving, after = actor.die.remote("die", way), actor.note.remote("after")
    for ref in (leaving, after):
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(ref, timeout=BOUND)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["init", "die", HOOK, "atexit"]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("os._exit(0)", "exit code 0"),
        ("os._exit(7)", "exit code 7"),
        ("abort", "SIGABRT"),
        ("SIGSEGV", "SIGSEGV"),
        ("SIGKILL", "SIGKILL"),
    ],
)
def test_x4_crashes_run_no_hooks_and_are_told_by_name(ray: ModuleType, notes: Notes, way: str, words: str) -> None:
    """The death cause has the exit code or the signal's name; neither hook nor atexit runs."""
    actor = mortal(ray, notes)
    dying, queued = actor.die.remote("die", way), actor.note.remote("queued")
    for ref in (dying, queued, actor.note.remote("later")):
        with pytest.raises(ray.exceptions.ActorDiedError, match=words):
            ray.get(ref, timeout=BOUND)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["exit_type"], cause["never_started"]) == ("WORKER_DIED", "SYSTEM_ERROR", False)
    assert notes.lines() == ["init", "die"]


def test_x4_the_cause_tells_that_restarts_ran_out(ray: ModuleType, notes: Notes) -> None:
    """Two of two restarts used: it says so."""
    actor = mortal(ray, notes, max_restarts=2, max_task_retries=-1)
    with pytest.raises(ray.exceptions.ActorDiedError, match=r"exit code 7.* 2 of 2"):
        ray.get(actor.die.remote("die", "os._exit(7)", 100), timeout=BOUND)
    assert "2 of 2" in wait_for_death(actor)["error_message"]
    assert notes.lines() == ["init", "die"] * 3


def test_x4_finished_results_are_never_lost(ray: ModuleType, notes: Notes) -> None:
    """Results of calls that had finished right before a crash arrive, small or large, and the calls ran once."""
    large = "x" * 300_000
    for number in range(30):
        actor = mortal(ray, notes)
        refs = [actor.note.remote(f"{number}.{index}") for index in range(1 + number % 4)]
        refs.append(actor.__ray_call__.remote(_large, number * 10_000))
        dying = actor.die.remote("die", "os._exit(7)", 100)
        assert ray.get(refs[:-1], timeout=BOUND) == [f"{number}.{index}" for index in range(1 + number % 4)]
        assert ray.get(refs[-1], timeout=BOUND) == large[: number * 10_000]
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(dying, timeout=BOUND)
    assert all(notes.count(line) == 1 for line in notes.lines() if "." in line)


def _large(self: Mortal, size: int) -> str:
    self.note(f"large.{size}")
    return "x" * size


@pytest.mark.parametrize("size", [40_000, 150_000])
def test_x4_finished_results_survive_a_slow_server(ray: ModuleType, on_stage: Stage, notes: Notes, size: int) -> None:
    """Also when the server gets to read them only after the process has died, and more than it reads in one go."""
    actor = mortal(ray, notes, max_restarts=1, max_task_retries=1)
    gate = notes.path.with_name("gate")
    refs = [actor.behind.remote(str(gate)), actor.__ray_call__.remote(_large, size)]
    dying = actor.__ray_call__.options(max_task_retries=0).remote(_die_later)
    wait_until_posted()
    wait_until(lambda: "behind" in notes.lines(), what="the first call to run")
    os.kill(on_stage.server.pid, signal.SIGSTOP)
    try:
        gate.touch()
        # A worker that waits until the server has what it cannot keep elsewhere does not come to its death now.
        with contextlib.suppress(AssertionError):
            wait_for_end(notes.pid, timeout=1)
    finally:
        os.kill(on_stage.server.pid, signal.SIGCONT)
    assert ray.get(refs, timeout=BOUND) == ["behind", "x" * size]
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(dying, timeout=BOUND)
    assert (notes.count("behind"), notes.count(f"large.{size}")) == (1, 1)


def _die_later(_self: Mortal) -> None:
    pause(0.1)
    crash()


def test_x4_sigterm_from_outside_runs_the_hooks_and_counts_as_a_crash(ray: ModuleType, notes: Notes) -> None:
    """A running call is interrupted; hook and atexit run; a restart follows, and when there is none left, death."""
    actor = mortal(ray, notes, max_restarts=1)
    running = actor.long.remote()
    wait_until(lambda: "long" in notes.lines(), what="the call to run")
    os.kill(notes.pid, signal.SIGTERM)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(running, timeout=BOUND)
    wait_for_restart(actor, 1)
    assert notes.lines() == ["init", "long", HOOK, "atexit", "init"]
    os.kill(ray.get(actor.pid.remote(), timeout=BOUND), signal.SIGTERM)
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["exit_type"]) == ("WORKER_DIED", "SYSTEM_ERROR")
    assert "SIGTERM" in cause["error_message"]
    assert notes.lines()[5:] == [HOOK, "atexit"]


@pytest.mark.parametrize("method", ["stubborn", "distort"])
def test_x4_sigterm_that_is_swallowed(ray: ModuleType, notes: Notes, method: str) -> None:
    """A method that catches BaseException cannot keep the actor: it counts as a crash all the same."""
    actor = mortal(ray, notes)
    running, queued = getattr(actor, method).remote(), actor.note.remote("queued")
    wait_until_posted()
    wait_until(lambda: method in notes.lines(), what="the call to run")
    os.kill(notes.pid, signal.SIGTERM)
    for ref in (running, queued):
        with pytest.raises(ray.exceptions.ActorDiedError, match="SIGTERM"):
            ray.get(ref, timeout=BOUND)
    assert notes.lines() == ["init", method, HOOK, "atexit"]


def test_x4_sigterm_that_is_swallowed_is_charged(ray: ModuleType, notes: Notes) -> None:
    """The call had begun, so without retries it does not begin again."""
    actor = mortal(ray, notes, max_restarts=1)
    running, queued = actor.stubborn.remote(), actor.note.remote("queued")
    wait_until_posted()
    wait_until(lambda: "stubborn" in notes.lines(), what="the call to run")
    os.kill(notes.pid, signal.SIGTERM)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(running, timeout=BOUND)
    assert ray.get(queued, timeout=BOUND) == "queued"
    assert notes.lines() == ["init", "stubborn", HOOK, "atexit", "init", "queued"]


@pytest.mark.parametrize("way", ["SIGTERM", "distorted SIGTERM"])
def test_x4_sigterm_during_the_constructor_is_told_by_name(ray: ModuleType, notes: Notes, way: str) -> None:
    """There is no hook to run yet; the cause names the signal, whatever the constructor makes of it."""
    actor = mortal(ray, notes, (way,))
    with pytest.raises(ray.exceptions.ActorDiedError, match="SIGTERM"):
        ray.get(actor.pid.remote(), timeout=BOUND)
    assert notes.lines() == ["init", "atexit"]


@pytest.mark.parametrize("error", [KeyboardInterrupt("by hand"), GeneratorExit("by hand")])
def test_x5_interrupts_raised_by_a_method_are_errors_of_the_call(
    ray: ModuleType, notes: Notes, error: BaseException
) -> None:
    """The call fails with them, and the actor lives."""
    actor = mortal(ray, notes)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    with pytest.raises(ray.exceptions.RayTaskError, match=type(error).__name__):
        ray.get(actor.raises.remote(error), timeout=BOUND)
    assert ray.get(actor.pid.remote(), timeout=BOUND) == pid


class OwnBaseError(BaseException):
    """An error that `except Exception` does not catch."""


def test_x5_any_base_exception_raised_by_a_method_is_an_error_of_the_call(ray: ModuleType, notes: Notes) -> None:
    """Only `SystemExit` is a way out."""
    actor = mortal(ray, notes)
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    with pytest.raises(ray.exceptions.RayTaskError, match="OwnBaseError"):
        ray.get(actor.raises.remote(OwnBaseError("by hand")), timeout=BOUND)
    assert ray.get(actor.pid.remote(), timeout=BOUND) == pid


def test_x5_sigint_from_a_terminal_is_not_for_actors(ray: ModuleType, notes: Notes) -> None:
    """A running call goes on."""
    actor = mortal(ray, notes)
    gate = notes.path.with_name("gate")
    running = actor.behind.remote(str(gate))
    wait_until(lambda: "behind" in notes.lines(), what="the call to run")
    os.kill(notes.pid, signal.SIGINT)
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "behind"


def test_x6_a_constructor_that_raises(ray: ModuleType, notes: Notes) -> None:
    """The actor is DEAD with a creation error, its calls show the original traceback, and there is no restart."""
    actor = mortal(ray, notes, ("raise",), max_restarts=3, max_task_retries=-1)
    for ref in (actor.pid.remote(), actor.note.remote("queued")):
        with pytest.raises(ray.exceptions.ActorDiedError, match="creation task") as caught:
            ray.get(ref, timeout=BOUND)
        assert "LookupError: the constructor fails on purpose" in str(caught.value)
        assert "_raise_in_constructor" in str(caught.value)
        assert caught.value.actor_init_failed
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["never_started"]) == ("CREATION_FAILED", True)
    assert "LookupError" in cause["traceback"]
    with pytest.raises(ray.exceptions.ActorDiedError, match="LookupError"):
        ray.get(actor.pid.remote(), timeout=BOUND)
    assert notes.lines() == ["init", "atexit"]


def test_x6_a_constructor_that_raises_on_a_restart(ray: ModuleType, notes: Notes) -> None:
    """The remaining restarts are not used: the actor is DEAD with the creation error."""
    actor = mortal(ray, notes, ("live", "raise"), max_restarts=5, max_task_retries=-1)
    assert ray.get(actor.note.remote("before"), timeout=BOUND) == "before"
    dying = actor.die.remote()
    with pytest.raises(ray.exceptions.ActorDiedError, match="LookupError: the constructor fails"):
        ray.get(dying, timeout=BOUND)
    cause = wait_for_death(actor)
    assert (cause["reason"], state(actor).num_restarts) == ("CREATION_FAILED", 1)
    assert notes.count("init") == 2


@pytest.mark.parametrize("way", ["os._exit(7)", "SIGKILL", "sys.exit(3)"])
def test_x6_a_constructor_that_crashes_is_run_again(ray: ModuleType, notes: Notes, gate: Path, way: str) -> None:
    """Restarts apply; calls that were waiting are not charged, as none of them had started."""
    # It begins when the call is there.
    holder = mortal(ray, Notes(notes.path.with_name("holder")))
    path = holder.behind.remote(str(gate), str(notes.path))
    actor = ray.remote(Mortal).options(max_restarts=2).remote(path, (way, way, "live"))
    waited = actor.note.remote("waited")
    gate.touch()
    assert ray.get(waited, timeout=BOUND) == "waited"
    assert notes.count("init") == 3


def test_x6_a_constructor_that_always_crashes(ray: ModuleType, notes: Notes) -> None:
    """When the restarts are used up the actor is dead and was never started."""
    actor = mortal(ray, notes, ("os._exit(7)",), max_restarts=1)
    with pytest.raises(ray.exceptions.ActorDiedError, match=r"exit code 7.* 1 of 1"):
        ray.get(actor.pid.remote(), timeout=BOUND)
    assert wait_for_death(actor)["never_started"]
    assert notes.lines() == ["init", "init"]


@pytest.mark.parametrize("way", ["exit_actor", "sys.exit(0)"])
def test_x6_a_constructor_that_leaves(ray: ModuleType, notes: Notes, way: str) -> None:
    """The actor is dead, as intended: no restart."""
    actor = mortal(ray, notes, (way,), max_restarts=3)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.pid.remote(), timeout=BOUND)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    assert notes.lines() == ["init", "atexit"]
    assert wait_for_death(actor)["never_started"]
