"""A6: results that come one by one, and results of several values."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.kinds import KINDS
from tests.support.looking import wait_for_death
from tests.support.mortals import WAYS, Mortal, Notes, pass_gate
from tests.support.waiting import wait_until

BOUND = 10


class Tap(Mortal):
    """Yield things, in plain methods."""

    def count(self, number: int) -> Iterator[int]:
        """Yield numbers."""
        yield from range(number)

    def forever(self) -> Iterator[int]:
        """Yield numbers, note each, and note the end."""
        try:
            for number in itertools.count():
                self._notes.add(f"{number}")
                yield number
        finally:
            self._notes.add("closed")

    def held(self, gate: str) -> Iterator[str]:
        """Yield something, wait for a gate, and yield something more."""
        yield "before"
        pass_gate(gate)
        yield "after"

    def broken(self, way: str, times: int = 1) -> Iterator[int]:
        """Yield two things, and leave on some way before the third unless that has been done often enough."""
        self._notes.add("broken")
        yield 0
        yield 1
        if self._notes.count("broken") <= times:
            WAYS[way]()
        yield 2

    def several(self, number: int) -> tuple[int, ...]:
        """Return several things."""
        return tuple(range(number))


class AsyncTap(Mortal):
    """Yield things, in coroutines."""

    async def count(self, number: int) -> AsyncIterator[int]:
        """Yield numbers."""
        for index in range(number):
            await asyncio.sleep(0)
            yield index

    async def forever(self) -> AsyncIterator[int]:
        """Yield numbers, note each, and note the end."""
        try:
            for number in itertools.count():
                self._notes.add(f"{number}")
                yield number
        finally:
            self._notes.add("closed")

    async def held(self, gate: str) -> AsyncIterator[str]:
        """Yield something, wait for a gate, and yield something more."""
        yield "before"
        while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - another process opens the gate
            await asyncio.sleep(0.002)
        yield "after"

    async def broken(self, way: str, times: int = 1) -> AsyncIterator[int]:
        """Yield two things, and leave on some way before the third unless that has been done often enough."""
        self._notes.add("broken")
        yield 0
        yield 1
        if self._notes.count("broken") <= times:
            WAYS[way]()
        yield 2

    def plain(self, number: int) -> Iterator[int]:
        """Yield numbers from a plain method of an async actor."""
        yield from range(number)


@pytest.fixture(params=["serial", *KINDS])
def tap(request: pytest.FixtureRequest, ray: ModuleType, notes: Notes) -> Any:
    """Create an actor of each kind."""
    if request.param == "async":
        return ray.remote(AsyncTap).options(max_restarts=2).remote(str(notes.path))
    at_once = 3 if request.param == "threaded" else 1
    return ray.remote(Tap).options(max_restarts=2, max_concurrency=at_once).remote(str(notes.path))


def test_a6_a_generator_method_streams(ray: ModuleType, tap: Any) -> None:
    """Without being asked to: references in order, then the end."""
    stream = tap.count.remote(100)
    assert isinstance(stream, ray.ObjectRefGenerator)
    assert [ray.get(ref, timeout=BOUND) for ref in stream] == list(range(100))
    with pytest.raises(StopIteration):
        next(stream)
    assert list(tap.count.remote(0)) == []
    assert len(list(tap.count.options(num_returns="streaming").remote(3))) == 3


def test_a6_items_come_as_they_are_yielded(ray: ModuleType, tap: Any, gate: Path) -> None:
    """The first can be read while the method still runs."""
    stream = tap.held.remote(str(gate))
    assert ray.get(next(stream), timeout=BOUND) == "before"
    assert not stream.next_ready()
    assert not stream.is_finished()
    gate.touch()
    assert [ray.get(ref, timeout=BOUND) for ref in stream] == ["after"]
    assert ray.get(stream.completed(), timeout=BOUND) == 2
    assert stream.is_finished()


def test_a6_async_for(ray: ModuleType, tap: Any, gate: Path) -> None:
    """A driver's event loop goes on while it waits for the next item."""

    async def read() -> list[Any]:
        gate.touch()  # noqa: ASYNC240 - nobody else uses the loop
        return [await ref async for ref in tap.held.remote(str(gate))]

    assert asyncio.run(read()) == ["before", "after"]
    assert ray.is_initialized()


def test_a6_plain_generators_of_async_actors_and_listing(ray: ModuleType, notes: Notes) -> None:
    """A plain generator streams, too; with `num_returns=n` the values of a generator are counted out."""
    actor = ray.remote(AsyncTap).remote(str(notes.path))
    assert ray.get(list(actor.plain.remote(3)), timeout=BOUND) == [0, 1, 2]
    assert ray.get(actor.plain.options(num_returns=2).remote(2), timeout=BOUND) == [0, 1]
    assert ray.get(actor.count.options(num_returns=2).remote(2), timeout=BOUND) == [0, 1]


def test_a6_an_error_comes_after_the_items(ray: ModuleType, tap: Any) -> None:
    """What was yielded before, one reference that raises, then the end."""
    refs = list(tap.broken.remote("raise"))
    assert ray.get(refs[:2], timeout=BOUND) == [0, 1]
    assert len(refs) == 3
    with pytest.raises(LookupError):
        ray.get(refs[2], timeout=BOUND)


def test_a6_a_crash_in_mid_stream(ray: ModuleType, tap: Any) -> None:
    """Without retries: one reference with the actor's error, then the end."""
    stream = tap.broken.remote("SIGKILL", 100)
    refs = list(stream)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(refs[-1], timeout=BOUND)
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(stream.completed(), timeout=BOUND)
    assert ray.get(refs[:-1], timeout=BOUND) == [0, 1][: len(refs) - 1]


def test_a6_a_retried_stream_has_each_item_once(ray: ModuleType, tap: Any, notes: Notes) -> None:
    """The method runs again from its beginning; the reader does not see it."""
    stream = tap.broken.options(max_task_retries=1).remote("SIGKILL")
    assert [ray.get(ref, timeout=BOUND) for ref in stream] == [0, 1, 2]
    assert notes.count("broken") == 2


def test_a6_back_pressure(ray: ModuleType, tap: Any, notes: Notes) -> None:
    """The method is never further ahead of its reader than it may be, and goes on as the reader does."""
    stream = tap.forever.options(_generator_backpressure_num_objects=3).remote()
    for number in range(10):
        assert ray.get(next(stream), timeout=BOUND) == number
        ahead = {f"{index}" for index in range(number + 4)}
        wait_until(lambda ahead=ahead: ahead <= set(notes.lines()), what=f"item {number + 3}")  # type: ignore[misc]
    assert f"{10 + 3}" not in notes.lines()
    ray.cancel(stream)


def test_a6_back_pressure_over_a_crash(ray: ModuleType, tap: Any) -> None:
    """A stream that runs again catches up although its reader had been further."""
    method = tap.broken.options(_generator_backpressure_num_objects=1, max_task_retries=-1)
    assert [ray.get(ref, timeout=BOUND) for ref in method.remote("SIGKILL", 2)] == [0, 1, 2]


def test_c6_a_cancelled_stream_ends_with_an_error(ray: ModuleType, tap: Any, notes: Notes) -> None:
    """Not with a plain end; the generator is closed, and the actor serves on."""
    stream = tap.forever.options(_generator_backpressure_num_objects=2).remote()
    assert ray.get(next(stream), timeout=BOUND) == 0
    ray.cancel(stream)
    refs = list(stream)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(refs[-1], timeout=BOUND)
    assert ray.get(refs[:-1], timeout=BOUND) == list(range(1, len(refs)))
    wait_until(lambda: "closed" in notes.lines(), what="the generator to be closed")
    assert ray.get(tap.note.remote("next"), timeout=BOUND) == "next"


def test_a6_a_dropped_stream_ends(ray: ModuleType, tap: Any, notes: Notes) -> None:
    """A generator that nobody can read any more does not go on for ever."""
    stream = tap.forever.remote()
    assert ray.get(next(stream), timeout=BOUND) == 0
    del stream
    wait_until(lambda: "closed" in notes.lines(), what="the generator to be closed")
    assert ray.get(tap.note.remote("next"), timeout=BOUND) == "next"


def test_a6_items_that_are_handles(ray: ModuleType, notes: Notes) -> None:
    """They count while the item or what was read of it is there."""

    class Giver(Mortal):
        def give(self) -> Iterator[Any]:
            import callboard  # noqa: PLC0415 - pickled by value

            for index in range(3):
                yield callboard.remote(Mortal).remote(f"{self._notes.path}{index}")

    actor = ray.remote(Giver).remote(str(notes.path))
    handles = [ray.get(ref, timeout=BOUND) for ref in actor.give.remote()]
    assert ray.get([handle.note.remote("x") for handle in handles], timeout=BOUND) == ["x"] * 3
    identities = [handle._actor_id for handle in handles]
    del handles
    for identity in identities:
        assert wait_for_death(identity)["reason"] == "OUT_OF_SCOPE"


def test_a6_items_are_passed_on(ray: ModuleType, tap: Any, notes: Notes) -> None:
    """A reference to an item is an argument like any other."""
    other = ray.remote(Mortal).remote(f"{notes.path}2")
    assert ray.get([other.note.remote(ref) for ref in tap.count.remote(3)], timeout=BOUND) == [0, 1, 2]


def test_a6_what_is_no_generator_cannot_stream(ray: ModuleType, notes: Notes) -> None:
    """The error says so, and the generator itself cannot be passed on."""
    actor = ray.remote(Tap).remote(str(notes.path))
    (ref,) = actor.several.options(num_returns="streaming").remote(3)
    with pytest.raises(TypeError, match="yield the items"):
        ray.get(ref, timeout=BOUND)
    with pytest.raises(TypeError, match="cannot be passed on"):
        actor.note.remote(actor.count.remote(1))


def test_a6_several_results(ray: ModuleType, notes: Notes) -> None:
    """`num_returns=n` gives n references; another number of values is an error of each."""
    actor = ray.remote(Tap).remote(str(notes.path))
    assert ray.get(actor.several.options(num_returns=3).remote(3), timeout=BOUND) == [0, 1, 2]
    for ref in actor.several.options(num_returns=2).remote(3):
        with pytest.raises(ValueError, match="num_returns=2") as caught:
            ray.get(ref, timeout=BOUND)
        assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert actor.several.options(num_returns=0).remote(1) is None


def test_a6_thousands_of_items_and_references(ray: ModuleType, tap: Any) -> None:
    """A long stream, and `wait` over thousands of references."""
    refs = list(tap.count.remote(3000))
    ready, rest = ray.wait(refs, num_returns=3000, timeout=BOUND)
    assert (len(ready), rest) == (3000, [])
    assert sum(ray.get(refs, timeout=BOUND)) == sum(range(3000))
