"""H4: a handle counts wherever it is."""

import gc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from tests.support.company import Keeper, Sender
from tests.support.holding import BOUND, ENDED, Place
from tests.support.looking import wait_for_death, wait_for_end
from tests.support.mortals import Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard


def _in_an_attribute(place: Place) -> Callable[[], object]:
    place.keep(place.new())
    return place.drop


def _in_a_list_in_a_dictionary(place: Place) -> Callable[[], object]:
    place.keep({"here": [1, [place.new()]]})
    return place.drop


def _in_a_bound_method_of_another(place: Place) -> Callable[[], object]:
    place.keep(place.new().note)
    return place.drop


def _in_a_queued_call(place: Place) -> Callable[[], object]:
    place.keeper.behind.remote(str(place.gate))
    place.keeper.ignore.remote([place.new()])
    return place.open_gate


def _in_a_running_call(place: Place) -> Callable[[], object]:
    place.keeper.have_behind.remote(str(place.gate), "running", [place.new()])
    wait_until(lambda: "running" in Notes(f"{place.notes.path}-of-the-keeper").lines(), what="the call to run")
    return place.open_gate


def _in_a_call_that_waits_for_another_argument(place: Place) -> Callable[[], object]:
    place.is_here = True
    sender = place.ray.remote(Sender).remote()
    place.keeper.ignore.remote(sender.value_behind.remote(str(place.gate), 1), place.new())
    return place.open_gate


def _in_a_result_that_nobody_has_read(place: Place) -> Callable[[], object]:
    place.keep(place.new())
    refs = [place.keeper.give.remote()]
    place.ray.wait(refs, timeout=BOUND)
    place.drop()
    return refs.clear


def _in_what_an_error_has(place: Place) -> Callable[[], object]:
    refs = [place.keeper.raise_with.remote([place.new()])]
    place.ray.wait(refs, timeout=BOUND)
    return refs.clear


def _in_the_constructor_arguments_of_another(place: Place) -> Callable[[], object]:
    keepers = [place.ray.remote(Keeper).remote(f"{place.notes.path}-of-a-keeper", [place.new()])]
    place.ray.get(keepers[0].pid.remote(), timeout=BOUND)
    return keepers.clear


def _in_an_object_that_another_has(place: Place) -> Callable[[], object]:
    place.keep([place.ray.put([place.new()])])
    # Or the object that comes back is the very one that was put.
    wait_until(lambda: place.me() not in place.holders(), what="the driver to have let go")
    refs = [place.keeper.give.remote()]
    place.ray.wait(refs, timeout=BOUND)
    (inner,) = place.ray.get(refs[0], timeout=BOUND)
    objects = [inner]

    def drop() -> None:
        place.drop()
        refs.clear()
        objects.clear()

    return drop


def _in_the_closure_of_a_function(place: Place) -> Callable[[], object]:
    place.ray.get(place.keeper.__ray_call__.remote(_keeping(place.new())), timeout=BOUND)
    return place.drop


def _in_the_closure_of_a_class(place: Place) -> Callable[[], object]:
    actors = [place.ray.remote(_user_of(place.new())).remote()]
    assert place.ray.get(actors[0].use.remote("by the class"), timeout=BOUND) == "by the class"
    gc.collect()
    return actors.clear


def _keeping(handle: Any) -> Callable[[Any], None]:
    def keep(keeper: Any) -> None:
        keeper.keep(lambda: handle)

    return keep


def _user_of(handle: Any) -> type:
    class User:
        def use(self, line: str) -> Any:
            return callboard.get(handle.note.remote(line), timeout=10)

    return User


@pytest.mark.parametrize(
    "put_there",
    [
        _in_an_attribute,
        _in_a_list_in_a_dictionary,
        _in_a_bound_method_of_another,
        _in_a_queued_call,
        _in_a_running_call,
        _in_a_call_that_waits_for_another_argument,
        _in_a_result_that_nobody_has_read,
        _in_what_an_error_has,
        _in_the_constructor_arguments_of_another,
        _in_an_object_that_another_has,
        _in_the_closure_of_a_function,
        _in_the_closure_of_a_class,
    ],
)
def test_h4_a_handle_counts_wherever_it_is(
    ray: ModuleType, on_stage: Stage, notes: Notes, put_there: Callable[[Place], Callable[[], object]]
) -> None:
    """The actor lives while its only handle is there, and is gone at once when it is not."""
    place = Place(ray, on_stage, notes)
    drop = put_there(place)
    gc.collect()
    wait_until(lambda: (place.me() in place.holders()) == place.is_here, what="nothing else to hold the actor")
    assert place.is_held()
    drop()
    del drop
    gc.collect()
    wait_for_end(notes.pid)
    assert notes.lines()[-2:] == ENDED


def test_h4_a_bound_method_keeps_the_actor(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Also one with options of its own; with it goes the actor."""
    place = Place(ray, on_stage, notes)
    note = place.new().note
    changed = note.options(max_task_retries=1)
    del note
    gc.collect()
    assert ray.get(changed.remote("by the method"), timeout=BOUND) == "by the method"
    assert place.is_held()
    del changed
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", "by the method", *ENDED]


def test_h4_an_object_here_keeps_the_actor(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """A handle inside a put object counts as long as the reference does, and can be taken out."""
    place = Place(ray, on_stage, notes)
    ref = ray.put({"handle": place.new()})
    gc.collect()
    assert ray.get(ray.get(ref)["handle"].note.remote("put"), timeout=BOUND) == "put"
    assert place.is_held()
    del ref
    wait_for_end(notes.pid)


def test_h4_a_class_keeps_what_it_captured_until_it_is_dropped(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """No actor of the class is needed for that; after the class the captured handle is released."""
    place = Place(ray, on_stage, notes)
    cls = ray.remote(_user_of(place.new()))
    for line in ("once", "again"):
        assert ray.get(cls.remote().use.remote(line), timeout=BOUND) == line
        gc.collect()
        assert place.is_held()
    del cls
    gc.collect()
    wait_for_end(notes.pid)


def test_h4_a_returned_handle_outlives_who_returned_it(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """The actor that returned it is dead; the handle counts on."""
    place = Place(ray, on_stage, notes)
    place.keep(place.new())
    returned = ray.get(place.keeper.give.remote(), timeout=BOUND)
    ray.kill(place.keeper)
    wait_for_death(place.keeper)
    assert ray.get(returned.note.remote("returned"), timeout=BOUND) == "returned"
    assert place.is_held()
    del returned
    wait_for_end(notes.pid)
    assert notes.lines() == ["init", "returned", *ENDED]
