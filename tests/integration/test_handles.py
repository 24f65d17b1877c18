"""H: handles and the automatic end of actors."""

import gc
import pickle
from types import ModuleType
from typing import Any

import cloudpickle
import pytest
from tests.support.drivers import other_driver
from tests.support.holding import BOUND, ENDED, Place
from tests.support.looking import times_asked, wait_for_death, wait_for_end
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

OUT_OF_SCOPE = "all references to the actor were removed"


def test_h1_calls_before_the_last_handle_goes_all_run(ray: ModuleType, notes: Notes) -> None:
    """They run and their references resolve; then the hook, the exit handlers, and the end with its cause."""
    handle = ray.remote(Mortal).remote(str(notes.path))
    refs = [handle.note.remote(f"{number}") for number in range(50)]
    del handle
    assert ray.get(refs, timeout=BOUND) == [f"{number}" for number in range(50)]
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", *(f"{number}" for number in range(50)), *ENDED]


def test_h1_the_cause_is_out_of_scope(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """An idle actor is gone at once when its last handle goes; the cause says why."""
    place = Place(ray, on_stage, notes)
    place.new()
    wait_for_end(notes.pid)
    cause = wait_for_death(place.actor)
    assert (cause["reason"], cause["never_started"]) == ("OUT_OF_SCOPE", False)
    assert OUT_OF_SCOPE in cause["error_message"]
    assert notes.lines() == ["init", *ENDED]


def test_h1_calls_whose_references_nobody_keeps_run_too(ray: ModuleType, notes: Notes) -> None:
    """Handle and references are dropped while the calls are queued behind a running one."""
    gate = notes.path.with_name("gate")
    handle = ray.remote(Mortal).remote(str(notes.path))
    handle.behind.remote(str(gate), "first")
    for number in range(5):
        handle.note.remote(f"{number}")
    del handle
    gc.collect()
    wait_until(lambda: "first" in notes.lines(), what="the first call")
    gate.touch()
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", "first", "0", "1", "2", "3", "4", *ENDED]


def test_h1_equal_handles_count_one_by_one(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """With two handles in a process and one elsewhere, the actor ends when the last of them is gone."""
    place = Place(ray, on_stage, notes)
    first = place.new()
    second = pickle.loads(cloudpickle.dumps(first))
    place.keep(first)
    del first
    assert ray.get(second.note.remote("second"), timeout=BOUND) == "second"
    place.drop()
    assert ray.get(second.note.remote("still second"), timeout=BOUND) == "still second"
    assert place.is_held()
    del second
    wait_for_end(notes.pid)


def test_h2_an_actor_that_nobody_calls_need_not_start(ray: ModuleType, notes: Notes) -> None:
    """Its handle is dropped at once: it ends as never started, and its constructor has not run on."""
    actor = ray.remote(Mortal).remote(str(notes.path), ("wait",))._actor_id
    cause = wait_for_death(actor)
    assert (cause["reason"], cause["never_started"]) == ("OUT_OF_SCOPE", True)


def test_h2_calls_before_the_process_is_up_still_run(ray: ModuleType, notes: Notes) -> None:
    """The handle is gone before the process is there; the calls run, then the actor ends."""
    handle = ray.remote(Mortal).remote(str(notes.path))
    refs = [handle.note.remote("one"), handle.note.remote("two")]
    del handle
    assert ray.get(refs, timeout=BOUND) == ["one", "two"]
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", "one", "two", *ENDED]


def test_h3_creating_and_calling_in_one_expression(ray: ModuleType, notes: Notes) -> None:
    """The pending call keeps the actor until it has run."""
    cls = ray.remote(Mortal)
    for number in range(5):
        assert ray.get(cls.remote(str(notes.path)).note.remote(f"{number}"), timeout=BOUND) == f"{number}"
    pid = ray.get(cls.remote(str(notes.path)).pid.remote(), timeout=BOUND)
    wait_for_end(pid)


@pytest.mark.parametrize("end", ["kill", "SIGKILL", "exit_actor"])
def test_h5_the_death_of_the_last_holder_releases(ray: ModuleType, on_stage: Stage, notes: Notes, end: str) -> None:
    """An actor holds the last handle and dies in some way: the held actor ends as if the handle had been dropped."""
    place = Place(ray, on_stage, notes)
    place.keep(place.new())
    gc.collect()
    wait_until(lambda: place.me() not in place.holders(), what="the release here")
    assert place.is_held()
    if end == "kill":
        ray.kill(place.keeper)
    else:
        place.keeper.die.remote("die", end)
    wait_for_end(notes.pid)
    assert wait_for_death(place.actor)["reason"] == "OUT_OF_SCOPE"
    assert notes.lines() == ["init", *ENDED]


def test_h5_the_death_of_a_driver_that_holds_the_last_handle_releases(
    ray: ModuleType, on_stage: Stage, notes: Notes
) -> None:
    """Another driver has the only handle, from `get_actor` (H6), and is killed by SIGKILL."""
    place = Place(ray, on_stage, notes)
    handle = ray.remote(Mortal).options(name="held").remote(str(notes.path))
    place.actor = handle._actor_id
    with other_driver(ray.get_runtime_context().namespace) as other:
        other.do("handle = ray.get_actor('held')")
        del handle
        wait_until(lambda: place.me() not in place.holders(), what="the release here")
        assert other.ask("ray.get(handle.note.remote('there'))") == "there"
        assert place.is_held()
        other.kill()
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", "there", *ENDED]


def test_h6_a_handle_from_get_actor_counts(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """The creator's handle goes and its calls of others run on; the actor ends with the handle that was looked up."""
    place = Place(ray, on_stage, notes)
    created = ray.remote(Mortal).options(name="counted").remote(str(notes.path))
    place.actor = created._actor_id
    found = ray.get_actor("counted")
    running = found.behind.remote(str(place.gate), "running")
    wait_until(lambda: "running" in notes.lines(), what="the call to run")
    del created
    gc.collect()
    place.open_gate()
    assert ray.get(running, timeout=BOUND) == "running"
    assert ray.get(found.note.remote("after"), timeout=BOUND) == "after"
    del found
    wait_for_end(notes.pid)
    assert notes.lines()[-3:] == ["after", *ENDED]


def test_h6_handles_that_are_looked_up_over_and_over_are_held_as_one(
    ray: ModuleType, on_stage: Stage, notes: Notes
) -> None:
    """Lookup, call and drop: most of them neither hold nor release."""
    ray.remote(Mortal).options(name="looked up", lifetime="detached").remote(str(notes.path))
    assert ray.get(ray.get_actor("looked up").note.remote("first"), timeout=BOUND) == "first"
    before = times_asked(on_stage.wire, "eval")
    for number in range(200):
        assert ray.get(ray.get_actor("looked up").note.remote(str(number)), timeout=BOUND) == str(number)
    assert times_asked(on_stage.wire, "eval") - before < 200
    ray.kill(ray.get_actor("looked up"))


def test_h7_bytes_do_not_keep_an_actor_and_give_a_counted_handle_while_it_lives(
    ray: ModuleType, on_stage: Stage, notes: Notes
) -> None:
    """Loaded later, they give a handle whose calls raise ActorDiedError."""
    place = Place(ray, on_stage, notes)
    handle = place.new()
    kept = pickle.dumps(handle)
    loaded = pickle.loads(kept)
    del handle
    assert ray.get(loaded.note.remote("loaded"), timeout=BOUND) == "loaded"
    del loaded
    wait_for_end(notes.pid)
    wait_for_death(place.actor)
    dead = pickle.loads(kept)
    with pytest.raises(ray.exceptions.ActorDiedError, match=OUT_OF_SCOPE):
        ray.get(dead.pid.remote(), timeout=BOUND)


def test_h7_bytes_are_loaded_anywhere_and_when_nothing_else_is_left_of_the_actor(
    ray: ModuleType, on_stage: Stage, notes: Notes
) -> None:
    """A process that never knew the class, after the process that had it: the handle's calls raise ActorDiedError."""
    with other_driver("elsewhere") as other:
        other.do(f"handle = ray.remote(Mortal).remote({str(notes.path)!r}); import pickle")
        kept: bytes = other.ask("pickle.dumps(handle)")
        other.ask("ray.get(handle.pid.remote())")
        assert other.leave() == 0
    wait_for_end(notes.pid)
    wait_until(lambda: not on_stage.wire.call("KEYS", "cb:*class*"), what="the class to go")
    dead = pickle.loads(kept)
    with pytest.raises(ray.exceptions.ActorDiedError, match="The actor is dead"):
        ray.get(dead.pid.remote(), timeout=BOUND)


def test_h8_handles_are_equal_when_they_name_the_same_actor(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """They hash alike; handles of other actors differ; a handle that came back from another actor is the same."""
    place = Place(ray, on_stage, notes)
    handle, other = place.new(), ray.remote(Mortal).remote(str(notes.path))
    place.keep(handle)
    back = ray.get(place.keeper.give.remote(), timeout=BOUND)
    assert back is not handle
    assert back == handle != other
    assert {handle: "value"}[back] == "value"
    assert len({handle, back, other}) == 2
    assert handle != handle._actor_id


def test_h8_plain_pickle_inside_a_call_works(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """An actor that gets a pickle made by hand has a handle that counts."""
    place = Place(ray, on_stage, notes)
    handle = place.new()

    def load(keeper: Any, pickled: bytes) -> None:
        keeper.keep(pickle.loads(pickled))

    ray.get(place.keeper.__ray_call__.remote(load, pickle.dumps(handle)), timeout=BOUND)
    del handle
    wait_until(lambda: place.me() not in place.holders(), what="the release here")
    assert ray.get(place.keeper.call.remote("note", "from the pickle"), timeout=BOUND) == "from the pickle"
    place.drop()
    wait_for_end(notes.pid)
