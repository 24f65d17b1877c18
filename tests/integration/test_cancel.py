"""C6: cancelling calls."""

from functools import partial
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from tests.support.kinds import KINDS, Several, Swift, create
from tests.support.looking import state, wait_for_death, wait_for_restart
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard_broker.wire import items

BOUND = 10


def test_c6_a_waiting_call_never_runs(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """`get` raises at once; the calls before and behind it go on, in order."""
    actor = ray.remote(Several).remote(str(notes.path))
    running = actor.hold.remote(str(gate), "running")
    refs = [actor.note.remote(f"{number}") for number in range(6)]
    wait_until(lambda: "running began" in notes.lines(), what="the first call")
    for number in (1, 3, 4):
        assert ray.cancel(refs[number]) is None
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(refs[number], timeout=0)
    gate.touch()
    assert ray.get([running, refs[0], refs[2], refs[5]], timeout=BOUND) == ["running", "0", "2", "5"]
    assert notes.lines()[1:] == ["running began", "running ended", "0", "2", "5"]
    assert ray.get(actor.note.remote("later"), timeout=BOUND) == "later"


def test_c6_a_call_that_the_worker_has_in_hand_never_runs(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Also when it was read together with the one that runs."""
    actor = ray.remote(Several).remote(str(notes.path))
    first = notes.path.with_name("first")
    blocker = actor.hold.remote(str(first), "blocker")
    wait_until(lambda: "blocker began" in notes.lines(), what="the blocker")
    running = actor.hold.remote(str(gate), "running")
    refs = [actor.note.remote(f"{number}") for number in range(4)]
    wait_until(lambda: state(actor).mailbox_length == 6, what="the calls to be there")
    first.touch()
    wait_until(lambda: "running began" in notes.lines(), what="the next call")
    ray.cancel(refs[2])
    ray.cancel(refs[0])
    gate.touch()
    assert ray.get([blocker, running, refs[1], refs[3]], timeout=BOUND) == ["blocker", "running", "1", "3"]
    assert [line for line in notes.lines() if line in "0123"] == ["1", "3"]


@pytest.mark.parametrize("kind", ["serial", *KINDS])
def test_c6_no_call_starts_once_cancel_has_returned(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Not even when what it waited for ends in that very moment: `cancel` waits for the worker that has it in hand."""
    actor = create("threaded" if kind == "serial" else kind, notes, at_once=1 if kind == "serial" else 2)
    for number in range(20):
        gates = [gate.with_name(f"gate {number}.{at}") for at in range(2)]
        running = [actor.hold.remote(str(one), one.name) for one in gates]
        refs = [actor.note.remote(f"{number}/{at}") for at in range(20)]
        wait_until(partial(notes.count, f"{gates[0].name} began"), what="the first call")
        if kind == "serial":
            # The next read takes everything that waits.
            gates[0].touch()
        wait_until(partial(notes.count, f"{gates[1].name} began"), what="the second call")
        for ref in refs[:-1]:
            ray.cancel(ref)
        for one in gates:
            one.touch()
        assert ray.get([*running, refs[-1]], timeout=BOUND)[-1] == f"{number}/19"
    assert [line for line in notes.lines() if "/" in line] == [f"{number}/19" for number in range(20)]


def test_c6_cancelling_does_not_wait_long_for_a_worker_that_is_stopped(
    ray: ModuleType, notes: Notes, gate: Path
) -> None:
    """It does not know of the call when it goes on, and what it answers is thrown away."""
    actor = ray.remote(Several).remote(str(notes.path))
    running, waiting = actor.hold.remote(str(gate), "running"), actor.note.remote("waiting")
    wait_until(lambda: "running began" in notes.lines(), what="the call to run")
    process = psutil.Process(state(actor).pid)
    process.suspend()
    ray.cancel(waiting)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(waiting, timeout=0)
    process.resume()
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "running"


def test_c6_the_call_that_ends_an_actor_is_not_taken_back(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """An actor that takes no more calls ends, whatever is cancelled."""
    actor = ray.remote(Several).remote(str(notes.path))
    running = actor.hold.remote(str(gate), "running")
    end = actor.__ray_terminate__.remote()
    ray.cancel(end)
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "running"
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(end, timeout=BOUND)
    wait_for_death(actor)


def test_c6_nothing_is_left_of_cancelled_calls(ray: ModuleType, on_stage: Stage, notes: Notes, gate: Path) -> None:
    """What they carried is released, and the ledger has no gap that stays."""
    actor, carried = ray.remote(Several).remote(str(notes.path)), ray.remote(Mortal).remote(f"{notes.path}2")
    running = actor.hold.remote(str(gate), "running")
    refs = [actor.note.remote([carried]) for _ in range(10)]
    identity = carried._actor_id
    del carried
    for ref in refs:
        ray.cancel(ref)
    record = on_stage.broker.keys.actor(identity)
    wait_until(lambda: on_stage.wire.call("HGET", record, "state") == b"DEAD", what="the end of what they carried")
    gate.touch()
    assert ray.get(running, timeout=BOUND) == "running"
    seen = on_stage.broker.keys.seen(actor._actor_id)

    def is_one_number() -> bool:
        # The worker may hear of a cancelled call after an answer; the next answer shows it.
        ray.get(actor.note.remote("next"), timeout=BOUND)
        (stored,) = items(on_stage.wire.call("HVALS", seen))
        return isinstance(stored, bytes) and stored.isdigit()

    wait_until(is_one_number, what="one number in the ledger")


@pytest.mark.parametrize("kind", KINDS)
def test_c6_a_call_that_waits_for_room_never_runs(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """It is in the worker's hand already, and forgotten there."""
    actor = create(kind, notes, at_once=2)
    running = [actor.hold.remote(str(gate), f"{number}") for number in range(2)]
    waiting = [actor.note.remote(f"waiting {number}") for number in range(3)]
    wait_until(lambda: len(notes.lines()) == 3, what="the calls to run")
    ray.cancel(waiting[1])
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(waiting[1], timeout=0)
    gate.touch()
    assert ray.get([*running, waiting[0], waiting[2]], timeout=BOUND) == ["0", "1", "waiting 0", "waiting 2"]
    assert "waiting 1" not in notes.lines()


def test_c6_a_running_coroutine_is_interrupted(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """It gets `CancelledError`; its reference has the same error class as any other cancelled call's."""
    actor = ray.remote(Swift).remote(str(notes.path))
    ref, other = actor.hold.remote(str(gate), "wanted"), actor.hold.remote(str(gate), "other")
    wait_until(lambda: len(notes.lines()) == 3, what="the calls to run")
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError) as caught:
        ray.get(ref, timeout=BOUND)
    assert type(caught.value) is ray.exceptions.TaskCancelledError
    wait_until(lambda: "wanted cancelled" in notes.lines(), what="the coroutine to be cancelled")
    gate.touch()
    assert ray.get(other, timeout=BOUND) == "other"


@pytest.mark.parametrize("options", [{}, {"max_concurrency": 3}])
def test_c6_a_running_method_goes_on(ray: ModuleType, notes: Notes, gate: Path, options: dict[str, int]) -> None:
    """Its result is thrown away, and the actor serves on."""
    actor = ray.remote(Several).options(**options).remote(str(notes.path))
    ref = actor.hold.remote(str(gate), "running")
    wait_until(lambda: "running began" in notes.lines(), what="the call to run")
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=BOUND)
    gate.touch()
    wait_until(lambda: "running ended" in notes.lines(), what="the method to end")
    assert ray.get(actor.note.remote("next"), timeout=BOUND) == "next"
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=BOUND)


def test_c6_a_cancelled_call_is_not_retried(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Neither the one that ran when the process died, nor one that waited."""
    actor = ray.remote(Several).options(max_restarts=1, max_task_retries=-1).remote(str(notes.path))
    running, waiting = actor.hold.remote(str(gate), "running"), actor.note.remote("waiting")
    wait_until(lambda: "running began" in notes.lines(), what="the call to run")
    ray.cancel(running)
    ray.cancel(waiting)
    ray.kill(actor, no_restart=False)
    wait_for_restart(actor, 1)
    assert ray.get(actor.note.remote("next"), timeout=BOUND) == "next"
    assert notes.lines() == ["init", "running began", "init", "next"]


def test_c6_a_call_that_waits_for_its_argument(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """It is never sent; those behind it go on."""
    slow, actor = ray.remote(Several).remote(f"{notes.path}2"), ray.remote(Several).remote(str(notes.path))
    pending = slow.hold.remote(str(gate), "value")
    waiting, behind = actor.note.remote(pending), actor.note.remote("behind")
    ray.cancel(waiting)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(waiting, timeout=BOUND)
    assert ray.get(behind, timeout=BOUND) == "behind"
    assert notes.lines()[1:] == ["behind"]


def test_c6_a_call_with_an_outcome_keeps_it(ray: ModuleType, notes: Notes) -> None:
    """Cancelling it changes nothing, nor does cancelling twice."""
    actor = ray.remote(Several).remote(str(notes.path))
    ref = actor.note.remote("done")
    wait_until(lambda: notes.lines()[1:] == ["done"], what="the call to run")
    ray.wait([ref], timeout=BOUND)
    ray.cancel(ref)
    ray.cancel(ref)
    assert ray.get(ref, timeout=BOUND) == "done"


def test_c6_wrong_use(ray: ModuleType, notes: Notes) -> None:
    """Only references of this process's calls can be cancelled, and no actor by force."""
    actor = ray.remote(Several).remote(str(notes.path))
    with pytest.raises(TypeError, match="takes a reference"):
        ray.cancel(actor)
    with pytest.raises(ValueError, match="force=True"):
        ray.cancel(actor.thread.remote(), force=True)
    ended = actor.thread.remote()
    ray.get(ended, timeout=BOUND)
    with pytest.raises(ValueError, match="force=True"):
        ray.cancel(ended, force=True)
    ray.cancel(ray.put(1))
