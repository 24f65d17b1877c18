"""A3, A4 and A5: results, errors, and references as arguments."""

import asyncio
import concurrent.futures
import gc
import pickle
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.holding import BOUND
from tests.support.stage import Stage
from tests.support.surface import OddError, Plain
from tests.support.waiting import wait_until

import callboard


@pytest.fixture
def plain(ray: ModuleType) -> Any:
    """Create an actor."""
    return ray.remote(Plain).remote()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Give the test a file that calls wait for."""
    return tmp_path / "gate"


def objects(stage: Stage) -> list[Any]:
    """Return the keys of published objects."""
    found = stage.wire.call("KEYS", "cb:*:object:*")
    assert isinstance(found, list)
    return found


def test_a3_get_returns_values_in_the_order_of_the_references(ray: ModuleType, plain: Any) -> None:
    """Of one reference, of a list, of a list with repetitions, of none; each time a fresh copy."""
    refs = [plain.value.remote([number]) for number in range(300)]
    assert ray.get(refs[7], timeout=BOUND) == [7]
    assert ray.get([*reversed(refs), refs[0]], timeout=BOUND) == [*([n] for n in reversed(range(300))), [0]]
    assert ray.get([]) == []
    assert ray.get(refs[7]) is not ray.get(refs[7])


def test_a3_get_waits_no_longer_than_it_may(ray: ModuleType, plain: Any, gate: Path) -> None:
    """A timeout is a GetTimeoutError and a TimeoutError; 0 only looks; afterwards the value is still to be had."""
    done, late = plain.value.remote(1), plain.wait_for.remote(str(gate), "late")
    assert ray.get(done, timeout=BOUND) == 1
    assert ray.get(done, timeout=0) == 1
    for timeout in (0, 0.05):
        for refs in (late, [done, late]):
            with pytest.raises(ray.exceptions.GetTimeoutError) as caught:
                ray.get(refs, timeout=timeout)
            assert isinstance(caught.value, TimeoutError)
    gate.touch()
    assert ray.get(late, timeout=BOUND) == "late"


def test_a3_get_refuses_what_is_no_reference(ray: ModuleType, plain: Any) -> None:
    """Values, tuples and lists with values are errors, as are negative timeouts."""
    ref = plain.value.remote(1)
    for wrong in (5, None, (ref,), {ref}, plain):
        with pytest.raises(ValueError, match="ObjectRef"):
            ray.get(wrong)
    with pytest.raises(TypeError, match="int"):
        ray.get([ref, 5])
    with pytest.raises(ValueError, match="timeout"):
        ray.get(ref, timeout=-1)


def test_a3_wait_splits_into_ready_and_others(ray: ModuleType, plain: Any, gate: Path) -> None:
    """No more ready ones than asked for, both parts in the order given; failed references are ready."""
    early = [plain.value.remote(0), plain.fail.remote("words"), plain.value.remote(2)]
    late = plain.wait_for.remote(str(gate))
    assert ray.wait([late, *early], num_returns=3, timeout=BOUND) == (early, [late])
    assert ray.wait([late, *early], num_returns=2) == (early[:2], [late, early[2]])
    assert ray.wait([late, *early]) == (early[:1], [late, *early[1:]])
    assert ray.wait([late, *early], num_returns=4, timeout=0.05) == (early, [late])
    assert ray.wait([late], timeout=0) == ([], [late])
    assert ray.wait([], num_returns=1) == ([], [])
    gate.touch()
    assert ray.wait([late], timeout=BOUND) == ([late], [])


def test_a3_wait_refuses_bad_arguments(ray: ModuleType, plain: Any) -> None:
    """Each with an error that says what."""
    ref = plain.value.remote(1)
    with pytest.raises(TypeError, match="list"):
        ray.wait(ref)
    with pytest.raises(TypeError, match="list"):
        ray.wait([ref, 5])
    with pytest.raises(ValueError, match="twice"):
        ray.wait([ref, ref])
    for number in (0, -1, 2):
        with pytest.raises(ValueError, match="num_returns"):
            ray.wait([ref], num_returns=number)
    with pytest.raises(ValueError, match="timeout"):
        ray.wait([plain.value.remote(1)], timeout=-1)


def test_a3_thousands_of_references(ray: ModuleType, plain: Any) -> None:
    """Waiting for all, for one after the other as they complete, and getting them."""
    refs = [plain.value.remote(number) for number in range(5000)]
    ready, others = ray.wait(refs, num_returns=2500, timeout=30)
    assert len(ready) == len(others) == 2500
    began = time.monotonic()
    assert ray.wait(refs, num_returns=5000, timeout=30) == (refs, [])
    assert ray.get(refs, timeout=BOUND) == list(range(5000))
    assert time.monotonic() - began < 20
    waiting = [plain.value.remote(number) for number in range(300)]
    seen = []
    while waiting:
        (one,), waiting = ray.wait(waiting, timeout=BOUND)
        seen.append(ray.get(one))
    assert seen == list(range(300))


def test_a3_put_keeps_a_value(ray: ModuleType, plain: Any) -> None:
    """As it was when it was put; neither references nor what cannot be pickled can be put."""
    value = [1, {"two": b"3" * 1_000_000}]
    ref = ray.put(value)
    value.append(4)
    assert ray.get(ref) == [1, {"two": b"3" * 1_000_000}]
    assert ray.wait([ref], timeout=0) == ([ref], [])
    with pytest.raises(TypeError, match="reference"):
        ray.put(ref)
    with pytest.raises(TypeError, match="lock"):
        ray.put(threading.Lock())
    assert len({ref, ray.put(1), plain.value.remote(1)}) == 3


def test_a3_futures_of_references(ray: ModuleType, plain: Any, gate: Path) -> None:
    """They get values and errors although nobody waits otherwise, in the order of completion."""
    late = plain.wait_for.remote(str(gate), "late").future()
    failed = plain.fail.remote("words").future()
    fast = ray.remote(Plain).remote().value.remote("fast").future()
    assert fast.result(timeout=BOUND) == "fast"
    assert not late.done()
    gate.touch()
    (first, second) = concurrent.futures.as_completed([late, failed], timeout=BOUND)
    assert (first, first.result()) == (late, "late")
    assert isinstance(second.exception(), OddError)
    assert ray.put(5).future().result(timeout=0) == 5


def test_a3_awaiting_references(ray: ModuleType, plain: Any, gate: Path) -> None:
    """In asyncio: one by one, gathered, with a timeout that leaves the reference as it was, and errors."""

    async def main() -> None:
        assert await plain.value.remote(1) == 1
        assert await asyncio.gather(*(plain.value.remote(number) for number in range(50))) == list(range(50))
        late = plain.wait_for.remote(str(gate), "late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late, 0.05)
        await asyncio.to_thread(gate.touch)
        assert await late == "late"
        with pytest.raises(OddError, match="words"):
            await plain.fail.remote("words")
        ray.kill(plain)
        with pytest.raises(ray.exceptions.ActorDiedError):
            await plain.value.remote(1)

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a4_an_exception_arrives_as_what_it_was(ray: ModuleType, plain: Any) -> None:
    """Caught by its class and as RayTaskError, with cause, fields, remote traceback; it survives pickle."""
    ref = plain.fail.remote("words", 9)
    for _ in range(2):
        with pytest.raises(OddError) as caught:
            ray.get(ref, timeout=BOUND)
    error: Any = caught.value
    assert isinstance(error, ray.exceptions.RayTaskError)
    assert (type(error.cause), error.cause.args, error.code) == (OddError, ("words",), 9)
    assert "Plain.fail" in str(error)
    assert "raise OddError(*args)" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, OddError)
    assert (again.code, str(again)) == (9, str(error))
    assert ray.get(plain.value.remote("lives"), timeout=BOUND) == "lives"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("key"),
        StopIteration(5),
        TimeoutError("slow"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        ExceptionGroup("group", [ValueError("one")]),
    ],
)
def test_a4_exceptions_of_many_classes(ray: ModuleType, plain: Any, error: Exception) -> None:
    """Also those with arguments of their own."""
    with pytest.raises(type(error)) as caught:
        ray.get(plain.raise_this.remote(error), timeout=BOUND)
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert str(error) in str(caught.value)


def test_a4_exceptions_that_cannot_be_pickled_arrive_as_text(ray: ModuleType, plain: Any) -> None:
    """As a plain RayTaskError whose cause says so; the actor lives."""
    with pytest.raises(ray.exceptions.RayTaskError, match="with a lock") as caught:
        ray.get(plain.raise_lock.remote(), timeout=BOUND)
    assert not isinstance(caught.value, OddError)
    assert "isn't serializable" in str(caught.value.cause)
    assert ray.get(plain.value.remote("lives"), timeout=BOUND) == "lives"


def test_a4_arguments_that_cannot_be_pickled_are_named(ray: ModuleType, plain: Any) -> None:
    """A TypeError from `.remote()`, by position or name, for methods and constructors; nothing is sent."""
    with pytest.raises(TypeError, match=r"argument 1 of type lock cannot be pickled"):
        plain.values.remote(1, threading.Lock())
    with pytest.raises(TypeError, match=r"argument second of type dict cannot be pickled"):
        plain.values.remote(1, second={"a": threading.Lock()})
    with pytest.raises(TypeError, match=r"argument 0 of type lock cannot be pickled"):
        ray.remote(OddError).remote(threading.Lock())
    assert ray.get(plain.value.remote("lives"), timeout=BOUND) == "lives"


def test_a4_results_that_cannot_be_pickled_are_errors(ray: ModuleType, plain: Any) -> None:
    """A TypeError that names the method; the actor lives."""
    with pytest.raises(TypeError, match="lock cannot be pickled") as caught:
        ray.get(plain.lock.remote(), timeout=BOUND)
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert ray.get(plain.value.remote("lives"), timeout=BOUND) == "lives"


def test_a5_references_as_arguments_are_resolved(ray: ModuleType, plain: Any) -> None:
    """By position and by keyword, results and put objects, of the same and of other actors, any number of times."""
    other = ray.remote(Plain).remote()
    one, two, three = ray.put(1), other.value.remote(2), plain.value.remote([3])
    assert ray.get(plain.values.remote(one, two, three, 4, one, key=two), timeout=BOUND) == (1, 2, [3], 4, 1, 2)
    chained = plain.value.remote(0)
    for _ in range(20):
        chained = other.value.remote(plain.value.remote(chained))
    assert ray.get(chained, timeout=BOUND) == 0
    assert ray.get(ray.remote(Plain).remote().kind.remote(ray.put(b"x")), timeout=BOUND) == "bytes"


def test_a5_references_as_arguments_of_a_constructor_are_resolved(ray: ModuleType, plain: Any, gate: Path) -> None:
    """Also pending ones; a failed one ends the actor with a creation error that shows it."""
    keeper = ray.remote(OddError).remote(plain.wait_for.remote(str(gate), "late"), code=ray.put(5))
    gate.touch()

    def told(self: OddError) -> Any:
        return self.args, self.code

    assert ray.get(keeper.__ray_call__.remote(told), timeout=BOUND) == (("late",), 5)
    failed = ray.remote(OddError).remote(plain.fail.remote("no argument"))
    with pytest.raises(ray.exceptions.ActorDiedError, match="no argument") as caught:
        ray.get(failed.__ray_ready__.remote(), timeout=BOUND)
    assert caught.value.actor_init_failed


def test_a5_pending_arguments_hold_back_later_calls_of_the_caller(ray: ModuleType, plain: Any, gate: Path) -> None:
    """They run in the order in which they were made, once the value is there."""
    other = ray.remote(Plain).remote()
    late = other.wait_for.remote(str(gate), "late")

    def note(self: Any, value: Any) -> list[Any]:
        self.notes = [*getattr(self, "notes", []), value]
        return list(self.notes)

    first = plain.__ray_call__.remote(note, "first")
    refs = [plain.__ray_call__.remote(note, late), *(plain.__ray_call__.remote(note, n) for n in range(3))]
    assert ray.get(first, timeout=BOUND) == ["first"]
    assert ray.wait(refs, timeout=0.2) == ([], refs)
    gate.touch()
    assert ray.get(refs[-1], timeout=BOUND) == ["first", "late", 0, 1, 2]
    assert ray.get(refs[0], timeout=BOUND) == ["first", "late"]


def test_a5_pending_arguments_go_on_although_nobody_waits(ray: ModuleType, plain: Any, gate: Path) -> None:
    """The value arrives and the call is sent without a `get` here."""
    seen = gate.with_name("seen")
    late = ray.remote(Plain).remote().wait_for.remote(str(gate), "late")
    plain.__ray_call__.remote(lambda _, value: seen.write_text(value), late)
    del late
    gate.touch()
    wait_until(lambda: seen.exists() and seen.read_text() == "late", what="the call")


def test_a5_nested_references_stay_references(ray: ModuleType, on_stage: Stage, plain: Any, gate: Path) -> None:
    """The actor can read them: put objects, results, pending and failed ones; afterwards their keys are gone."""
    late = plain.wait_for.remote(str(gate), "late")
    other = ray.remote(Plain).remote()
    refs = [ray.put("put"), other.value.remote("result"), late]
    reader = ray.remote(Plain).remote()
    pending = reader.nested.remote(refs)
    assert ray.wait([pending], timeout=0.1) == ([], [pending])
    gate.touch()
    assert ray.get(pending, timeout=BOUND) == (["ObjectRef"] * 3, ["put", "result", "late"])
    failing = reader.nested.remote([plain.fail.remote("inside")])
    with pytest.raises(OddError, match="inside"):
        ray.get(failing, timeout=BOUND)
    assert objects(on_stage)
    del refs, late, failing, pending
    gc.collect()
    wait_until(lambda: not objects(on_stage), what="the keys of the objects to go")


@pytest.mark.parametrize("failed", ["before", "later"])
def test_a5_a_failed_reference_fails_the_call(ray: ModuleType, plain: Any, gate: Path, failed: str) -> None:
    """With its error; the method does not run, the calls behind it do."""
    other = ray.remote(Plain).remote()
    broken = other.fail.remote("words") if failed == "before" else other.wait_and_fail.remote(str(gate))
    if failed == "before":
        ray.wait([broken], timeout=BOUND)
    ran = gate.with_name("ran")
    ref = plain.__ray_call__.remote(lambda _, value: ran.write_text(str(value)), broken)
    behind = plain.value.remote("behind")
    gate.touch()
    with pytest.raises(OddError, match=r"words|too late"):
        ray.get(ref, timeout=BOUND)
    assert ray.get(behind, timeout=BOUND) == "behind"
    assert not ran.exists()
    ray.kill(other)
    with pytest.raises(ray.exceptions.ActorDiedError) as caught:
        ray.get(plain.value.remote(other.value.remote(1)), timeout=BOUND)
    assert caught.value.actor_id == other._actor_id


def test_a5_put_objects_pass_through_actors(ray: ModuleType, on_stage: Stage, plain: Any) -> None:
    """Through two actors, read by the second; an actor's own objects come back; all keys go with the references."""
    ref = ray.put({"big": b"x" * 100_000})
    second = ray.remote(Plain).remote()
    kinds, values = ray.get(plain.forward.remote(second, [ref]), timeout=BOUND)
    assert (kinds, values) == (["ObjectRef"], [{"big": b"x" * 100_000}])

    def put(self: Any, value: Any) -> list[Any]:
        del self
        return [callboard.put(value)]

    (theirs,) = ray.get(plain.__ray_call__.remote(put, "theirs"), timeout=BOUND)
    assert ray.get(theirs, timeout=BOUND) == "theirs"
    assert ray.get(second.value.remote(theirs), timeout=BOUND) == "theirs"
    assert ray.get(plain.nested.remote([theirs, ref]), timeout=BOUND)[1][0] == "theirs"
    del ref, theirs
    gc.collect()
    wait_until(lambda: not objects(on_stage), what="the keys of the objects to go")


def test_a5_arguments_are_taken_as_they_are_at_the_call(ray: ModuleType, plain: Any) -> None:
    """Later changes of a mutable argument do not reach the actor."""
    changing: list[int] = []
    refs = []
    for number in range(5):
        changing.append(number)
        refs.append(plain.value.remote(changing))
    assert ray.get(refs, timeout=BOUND) == [list(range(length + 1)) for length in range(5)]
