"""R3 to R8: retries, and the order of calls over crashes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support import crowd
from tests.support.looking import state, wait_for_death, wait_for_restart, wait_until_posted
from tests.support.mortals import Mortal, Notes, pass_gate
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard_broker.wire import mapping

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10
LONGER = 40


def mortal(ray: ModuleType, notes: Notes, first: tuple[str, ...] = ("live",), **options: Any) -> Any:
    """Create an actor."""
    return ray.remote(Mortal).options(**options).remote(str(notes.path), first)


def crash_in(notes: Notes, line: str) -> None:
    """Kill the actor's process once a call has noted a line."""
    wait_until(lambda: line in notes.lines(), what=f"{line!r}")
    os.kill(notes.pid, signal.SIGKILL)


def test_r3_the_nearer_setting_wins(ray: ModuleType, notes: Notes) -> None:
    """`.options` on the method before `@method` before the class; without any there is no retry."""

    class Set(Mortal):
        @ray.method(max_task_retries=2)  # type: ignore[untyped-decorator,unused-ignore]
        def marked(self, line: str, times: int) -> str:
            return self.die(line, "os._exit(7)", times)

    plain = mortal(ray, notes, max_restarts=-1)
    assert _runs(ray, notes, plain.die, "none") == 1
    assert _runs(ray, notes, plain.die.options(max_task_retries=1), "options") == 2
    actor = ray.remote(Set).options(max_restarts=-1, max_task_retries=1).remote(str(notes.path))
    assert _runs(ray, notes, actor.die, "class") == 2
    actor = ray.remote(Set).options(max_restarts=-1, max_task_retries=1).remote(str(notes.path))
    marked = actor.marked.remote("marked", 100)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(marked, timeout=BOUND)
    assert notes.count("marked") == 3
    actor = ray.remote(Set).options(max_restarts=-1).remote(str(notes.path))
    assert ray.get(actor.marked.options(max_task_retries=-1).remote("for ever", 3), timeout=LONGER) == "for ever"
    assert notes.count("for ever") == 4


def _runs(ray: ModuleType, notes: Notes, method: Any, line: str) -> int:
    actor = method._handle
    restarts = state(actor).num_restarts
    ref = method.remote(line, "os._exit(7)", 100)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(ref, timeout=BOUND)
    # What is called while the actor restarts would be charged for that.
    wait_for_restart(actor, restarts + notes.count(line))
    return notes.count(line)


def test_r4_at_most_once_without_retries(ray: ModuleType, notes: Notes) -> None:
    """A call that had started is unavailable when the actor restarts, which says that it may have run, else it died."""
    restarted, gone = mortal(ray, notes, max_restarts=1), mortal(ray, notes)
    unavailable, died = restarted.die.remote("first"), gone.die.remote("second")
    with pytest.raises(ray.exceptions.ActorUnavailableError, match="may or may not have been executed"):
        ray.get(unavailable, timeout=BOUND)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(died, timeout=BOUND)
    assert issubclass(ray.exceptions.ActorUnavailableError, ray.exceptions.RayActorError)
    assert issubclass(ray.exceptions.ActorDiedError, ray.exceptions.RayActorError)
    wait_for_restart(restarted, 1)
    assert (notes.count("first"), notes.count("second")) == (1, 1)


def test_r5_a_retried_call_keeps_its_place(ray: ModuleType, notes: Notes) -> None:
    """It is run again before every call that was submitted after it."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1)
    refs = [actor.note.remote("0"), actor.note.remote("1"), actor.die.remote("2", "SIGKILL", 2)]
    refs += [actor.note.remote(f"{number}") for number in range(3, 10)]
    assert ray.get(refs, timeout=BOUND) == [f"{number}" for number in range(10)]
    assert [line for line in notes.lines() if line != "init"] == [*"01222", *"3456789"]


class Recorder:
    """Note numbered calls of several callers, and the processes that ran them."""

    def __init__(self, notes: str) -> None:
        self._notes = Notes(notes)
        self._notes.introduce()

    def record(self, caller: str, number: int) -> int:
        """Note that a call runs."""
        self._notes.add(f"{caller} {number}")
        return number


def check_order(notes: Notes, callers: set[str], number: int) -> int:
    """Check that each caller's calls ran in order, with nothing missing; return how often a call was run again."""
    repeated = 0
    ran: dict[str, list[int]] = {caller: [] for caller in callers}
    for line in notes.lines():
        caller, _, index = line.rpartition(" ")
        ran[caller].append(int(index))
    for found in ran.values():
        # A call that was interrupted runs again, in its old place.
        assert found == sorted(found)
        assert set(found) == set(range(number))
        repeated += len(found) - number
    return repeated


def _crash_while_busy(actor: Any, notes: Notes, crashes: int, calls_between: int) -> None:
    killed: set[int] = set()

    def far_enough() -> bool:
        return notes.pid not in killed and len(notes.lines()) > (len(killed) + 1) * calls_between

    while len(killed) < crashes:
        wait_until(far_enough, what="progress", timeout=30)
        os.kill(notes.pid, signal.SIGKILL)
        killed.add(notes.pid)
        wait_for_restart(actor, len(killed))


def test_r5_order_over_crashes_for_several_callers(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Threads and another driver call in bursts while the process is killed again and again: nothing lost or overtaken.

    R7: no call whose outcome was committed is run again, so each crash repeats at most the call that was running.
    """
    number, crashes = 1500, 5
    actor = ray.remote(Recorder).options(max_restarts=-1, max_task_retries=-1, name="recorder").remote(str(notes.path))
    ray.get(actor.__ray_ready__.remote(), timeout=BOUND)
    namespace = ray.get_runtime_context().namespace
    command = [sys.executable, crowd.__file__, on_stage.address, namespace, "recorder", "other driver", str(number)]
    found: dict[str, list[str]] = {}

    def call(caller: str) -> None:
        found[caller] = crowd.call_in_order(actor, caller, number)

    threads = [threading.Thread(target=call, args=(f"thread {index}",)) for index in range(3)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        for thread in threads:
            thread.start()
        _crash_while_busy(actor, notes, crashes, number // 4)
        for thread in threads:
            thread.join()
        told, _ = other.communicate(timeout=LONGER)
    found["other driver"] = told.splitlines()
    expected = [str(index) for index in range(number)]
    assert found == dict.fromkeys([f"thread {index}" for index in range(3)] + ["other driver"], expected)
    assert check_order(notes, set(found), number) <= crashes


def test_r6_queued_calls_that_never_started_are_not_charged(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Without any retry they keep their place over two crashes, and run."""
    actor = mortal(ray, notes, max_restarts=-1)
    running = actor.behind.remote(str(gate), "running")
    crashing = actor.die.remote("crashing")
    queued = [actor.note.remote(f"{number}") for number in range(5)]
    wait_until_posted()
    crash_in(notes, "running")
    for ref in (running, crashing):
        with pytest.raises(ray.exceptions.ActorUnavailableError):
            ray.get(ref, timeout=BOUND)
    assert ray.get(queued, timeout=BOUND) == ["0", "1", "2", "3", "4"]
    assert notes.lines() == ["init", "running", "init", "crashing", "init", "0", "1", "2", "3", "4"]


def test_r6_without_retries_a_call_made_while_restarting_is_unavailable(
    ray: ModuleType, notes: Notes, gate: Path
) -> None:
    """It never runs; one that was queued before the crash does."""
    actor = _restarting(ray, notes, gate, max_task_retries=0)
    queued, submitted = actor.queued, actor.handle.note.remote("submitted")
    gate.touch()
    with pytest.raises(ray.exceptions.ActorUnavailableError, match="restarting"):
        ray.get(submitted, timeout=BOUND)
    assert ray.get(queued, timeout=BOUND) == "queued"
    assert "submitted" not in notes.lines()


def test_r6_a_call_made_while_restarting_is_charged(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """It costs one retry: with one it runs once, and a crash then is one too many; with two it runs again."""
    actor = _restarting(ray, notes, gate, max_task_retries=1)
    one = actor.handle.die.remote("one", "SIGKILL", 100)
    two = actor.handle.die.options(max_task_retries=2).remote("two", "SIGKILL", 100)
    forever = actor.handle.die.options(max_task_retries=-1).remote("for ever", "SIGKILL", 1)
    wait_until_posted()
    gate.touch()
    assert ray.get(actor.queued, timeout=BOUND) == "queued"
    for ref in (one, two):
        with pytest.raises(ray.exceptions.ActorUnavailableError):
            ray.get(ref, timeout=BOUND)
    assert ray.get(forever, timeout=BOUND) == "for ever"
    assert (notes.count("one"), notes.count("two"), notes.count("for ever")) == (1, 2, 2)


def test_i8_a_call_made_while_restarting_does_not_wait_for_a_constructor_that_never_returns(
    ray: ModuleType, on_stage: Stage, notes: Notes, gate: Path
) -> None:
    """R6, R7: without retries it is unavailable soon, however often it arrives; all others keep waiting, and run."""
    actor = _restarting(ray, notes, gate, max_task_retries=0)
    submitted = actor.handle.note.remote("submitted")
    patient = actor.handle.note.options(max_task_retries=1).remote("patient")
    several = [actor.handle.note.remote([ray.put("carried")]) for _ in range(450)]
    with pytest.raises(ray.exceptions.ActorUnavailableError, match="restarting"):
        ray.get(submitted, timeout=BOUND)
    for ref in several:
        with pytest.raises(ray.exceptions.ActorUnavailableError, match="restarting"):
            ray.get(ref, timeout=BOUND)
    assert state(actor.handle).state == "RESTARTING"
    assert not ray.wait([actor.queued, patient], timeout=0)[0]
    gate.touch()
    assert ray.get([actor.queued, patient], timeout=BOUND) == ["queued", "patient"]
    wait_for_restart(actor.handle, 1)
    assert ray.get(actor.handle.note.remote("later"), timeout=BOUND) == "later"
    assert [line for line in notes.lines() if line != "init"] == ["crash", "held", "queued", "patient", "later"]
    # The ledger has no gap: what was turned away is known to have been answered.
    (seen,) = mapping(on_stage.wire.call("HGETALL", on_stage.broker.keys.seen(actor.handle._actor_id))).values()
    assert seen == b"%d" % (2 + 1 + 1 + 450 + 1)


def test_i8_an_actor_told_to_end_while_it_restarts_ends(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """The call that ends it is not turned away: the actor takes no other, and would never end."""
    actor = _restarting(ray, notes, gate, max_task_retries=0)
    leaving = actor.handle.__ray_terminate__.remote()
    # Whoever looks at calls of actors that restart has done so.
    other = mortal(ray, Notes(f"{notes.path}.other"), ("live", "wait"), max_restarts=-1)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(other.die.remote(), timeout=BOUND)
    wait_until(lambda: state(other).state == "RESTARTING", what="the restart")
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(other.pid.remote(), timeout=BOUND)
    gate.touch()
    assert ray.get(actor.queued, timeout=BOUND) == "queued"
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(leaving, timeout=BOUND)
    assert wait_for_death(actor.handle)["reason"] == "WORKER_DIED"


class _Restarting:
    def __init__(self, handle: Any, queued: Any) -> None:
        self.handle = handle
        self.queued = queued


class Held(Mortal):
    """Wait for a gate in each constructor but the first."""

    def __init__(self, notes: str, gate: str) -> None:
        super().__init__(notes)
        if self._notes.count("init") > 1:
            self.behind(gate, "held")

    def crash_behind(self, gate: str) -> None:
        """Wait for another gate, then die."""
        pass_gate(gate)
        self.die("crash")


def _restarting(ray: ModuleType, notes: Notes, gate: Path, *, max_task_retries: int) -> _Restarting:
    """Have an actor that is restarting and waits for a gate in its constructor, with one call queued before."""
    options = {"max_restarts": -1, "max_task_retries": max_task_retries}
    handle = ray.remote(Held).options(**options).remote(str(notes.path), str(gate))
    queue_is_there = notes.path.with_name("queue_is_there")
    running = handle.crash_behind.options(max_task_retries=0).remote(str(queue_is_there))
    queued = handle.note.remote("queued")
    wait_until_posted()
    queue_is_there.touch()
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(running, timeout=BOUND)
    wait_until(lambda: "held" in notes.lines(), what="the constructor of the new incarnation")
    assert state(handle).state == "RESTARTING"
    return _Restarting(handle, queued)


def test_r7_finished_calls_are_not_run_again(ray: ModuleType, notes: Notes) -> None:
    """However often the process dies, and also when nobody has looked at their results."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=-1)
    refs = []
    for index in range(5):
        refs += [actor.note.remote(f"note {index}.{number}") for number in range(4)]
        refs.append(actor.die.remote(f"die {index}"))
    ray.get(refs, timeout=LONGER)
    lines = [line for line in notes.lines() if line != "init"]
    assert lines == [
        line
        for index in range(5)
        for line in [*(f"note {index}.{number}" for number in range(4)), f"die {index}", f"die {index}"]
    ]
    assert state(actor).num_restarts == 5


def test_r8_used_up_retries_fail_that_call_only(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """The next calls go on, in order."""
    actor = mortal(ray, notes, max_restarts=-1, max_task_retries=1)
    refs = [actor.behind.remote(str(gate), "0"), actor.die.remote("1", "os._exit(7)", 100), actor.note.remote("2")]
    refs += [actor.die.remote("3", "os._exit(7)", 1), actor.note.remote("4")]
    # What is called while the actor restarts would be charged for that.
    wait_until_posted()
    gate.touch()
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(refs.pop(1), timeout=BOUND)
    assert ray.get(refs, timeout=BOUND) == ["0", "2", "3", "4"]
    assert [line for line in notes.lines() if line != "init"] == ["0", "1", "1", "2", "3", "3", "4"]


def test_r8_used_up_restarts_fail_all_calls(ray: ModuleType, notes: Notes) -> None:
    """Whatever retries they have left."""
    actor = mortal(ray, notes, max_restarts=1, max_task_retries=-1)
    refs = [actor.note.remote("0"), actor.die.remote("1", "os._exit(7)", 100), actor.note.remote("2")]
    assert ray.get(refs[0], timeout=BOUND) == "0"
    for ref in refs[1:]:
        with pytest.raises(ray.exceptions.ActorDiedError, match="1 of 1"):
            ray.get(ref, timeout=BOUND)
    wait_for_death(actor)
    assert notes.lines() == ["init", "0", "1", "init", "1"]
