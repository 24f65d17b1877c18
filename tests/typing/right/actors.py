"""What checkers know of actors: constructors, methods, results. This file is checked and not run."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, assert_type

import callboard
from callboard import ActorHandle, ObjectRef, ObjectRefGenerator
from callboard.util import ActorPool


class CounterCls:
    def __init__(self, start: int, *, step: int = 1) -> None:
        self.value = start
        self.step = step

    @callboard.method
    def add(self, amount: int, *, times: int = 1) -> int:
        self.value += self.step * amount * times
        return self.value

    @callboard.method
    def twice(self, amount: int) -> int:
        # Called on the instance it is what it is.
        assert_type(self.add(amount), int)
        return self.add(amount, times=2)

    @callboard.method(max_task_retries=3, retry_exceptions=[KeyError])
    def name(self) -> str:
        return "counter"

    @callboard.method
    async def later(self, text: str) -> list[str]:
        assert_type(await self.soon(1), int)
        return [text]

    @callboard.method(concurrency_group="io")
    async def soon(self, number: int) -> int:
        return number

    @callboard.method(num_returns=2)
    def pair(self, text: str) -> tuple[int, str]:
        return 1, text

    @callboard.method(num_returns=0)
    def nothing(self, text: str) -> None:
        del text

    @callboard.method(num_returns=1)
    def one(self) -> tuple[int, int]:
        return 1, 2

    @callboard.method
    def count(self, most: int) -> Iterator[int]:
        yield from range(most)

    @callboard.method(num_returns="streaming", _generator_backpressure_num_objects=2)
    def words(self) -> Generator[str]:
        yield "one"

    @callboard.method
    async def count_later(self, most: int) -> AsyncIterator[int]:
        for number in self.count(most):
            yield number

    @callboard.method
    async def words_later(self) -> AsyncGenerator[str]:
        yield "one"

    def unmarked(self, number: int) -> int:
        return number


class Child(CounterCls):
    def __init__(self) -> None:
        super().__init__(1)

    @callboard.method
    def add(self, amount: int, *, times: int = 1) -> int:
        return super().add(amount, times=times) + 1


Counter = callboard.remote(CounterCls)
ChildActor = callboard.remote(max_restarts=-1, name="child", lifetime="detached", resources={"disk": 0.5})(Child)


def constructors() -> None:
    assert_type(Counter.remote(1), ActorHandle[CounterCls])
    assert_type(Counter.remote(start=1, step=2), ActorHandle[CounterCls])
    assert_type(Counter.options(num_cpus=1, get_if_exists=None).remote(1), ActorHandle[CounterCls])
    assert_type(Counter.options(name="one").options(namespace="two").remote(1), ActorHandle[CounterCls])
    assert_type(ChildActor.remote(), ActorHandle[Child])


def methods(counter: ActorHandle[CounterCls]) -> None:
    assert_type(counter.add.remote(1), ObjectRef[int])
    assert_type(counter.add.remote(amount=1, times=2), ObjectRef[int])
    assert_type(counter.name.remote(), ObjectRef[str])
    assert_type(counter.later.remote("x"), ObjectRef[list[str]])
    assert_type(counter.soon.remote(1), ObjectRef[int])
    assert_type(counter.pair.remote("x"), list[ObjectRef[Any]])
    assert_type(counter.nothing.remote("x"), None)
    assert_type(counter.one.remote(), ObjectRef[tuple[int, int]])
    first, second = counter.pair.remote("x")
    callboard.get([first, second])


def options_of_methods(counter: ActorHandle[CounterCls]) -> None:
    assert_type(counter.add.options(max_task_retries=-1, name="sum").remote(1), ObjectRef[int])
    assert_type(counter.add.options(num_returns=None).remote(1), ObjectRef[int])
    assert_type(counter.one.options(num_returns=2).remote(), list[ObjectRef[Any]])
    assert_type(counter.pair.options(num_returns=1).remote("x"), ObjectRef[Any])
    assert_type(counter.name.options(num_returns=0).remote(), None)


def streams(counter: ActorHandle[CounterCls]) -> None:
    assert_type(counter.count.remote(3), ObjectRefGenerator[int])
    assert_type(counter.words.remote(), ObjectRefGenerator[str])
    assert_type(counter.count_later.remote(3), ObjectRefGenerator[int])
    assert_type(counter.words_later.remote(), ObjectRefGenerator[str])
    assert_type(counter.count.options(max_task_retries=1).remote(3), ObjectRefGenerator[int])
    assert_type(counter.name.options(num_returns="streaming").remote(), ObjectRefGenerator[Any])
    assert_type([callboard.get(ref) for ref in counter.count.remote(3)], list[int])
    callboard.cancel(counter.count.remote(3))
    callboard.cancel(counter.name.remote())


async def streams_awaited(counter: ActorHandle[CounterCls]) -> None:
    async for ref in counter.words.remote():
        assert_type(await ref, str)


def children() -> None:
    child = ChildActor.remote()
    assert_type(child.add.remote(1, times=2), ObjectRef[int])
    assert_type(child.twice.remote(1), ObjectRef[int])
    methods(child)


def references_as_arguments(counter: ActorHandle[CounterCls]) -> None:
    number = counter.add.remote(1)
    assert_type(counter.add.remote(number), ObjectRef[int])
    assert_type(counter.add.remote(number, times=2), ObjectRef[int])
    assert_type(Counter.remote(number), ActorHandle[CounterCls])
    assert_type(Wide.remote("first", number).both.remote("first", number), ObjectRef[str])


class WideCls:
    def __init__(self, text: str, number: int, more: float = 0.0) -> None:
        self.given = (text, number, more)

    @callboard.method
    def both(self, text: str, number: int, more: float = 0.0) -> str:
        return f"{text} {number} {more}"


Wide = callboard.remote(WideCls)


def values(counter: ActorHandle[CounterCls]) -> None:
    assert_type(callboard.get(counter.add.remote(1)), int)
    assert_type(callboard.get([counter.add.remote(1), counter.add.remote(2)], timeout=1.5), list[int])
    assert_type(callboard.get(counter.later.remote("x")), list[str])
    assert_type(callboard.put("x"), ObjectRef[str])
    assert_type(callboard.get(callboard.put({"x": 1})), dict[str, int])
    ready, waiting = callboard.wait([counter.name.remote()], num_returns=1, timeout=0)
    assert_type(ready, list[ObjectRef[str]])
    assert_type(waiting, list[ObjectRef[str]])


async def awaited(counter: ActorHandle[CounterCls]) -> None:
    assert_type(await counter.add.remote(1), int)
    assert_type(counter.add.remote(1).future().result(), int)


def ends(counter: ActorHandle[CounterCls]) -> None:
    callboard.kill(counter, no_restart=False)


def pools(counter: ActorHandle[CounterCls], anybody: ActorHandle) -> None:
    pool = ActorPool([counter])
    assert_type(pool, ActorPool[CounterCls])
    assert_type(list(pool.map(lambda actor, number: actor.add.remote(number), [1, 2])), list[int])
    assert_type(list(pool.map_unordered(lambda actor, text: actor.later.remote(text), "ab")), list[list[str]])
    pairs: list[list[object]] = list(pool.map(lambda actor, text: actor.pair.remote(text), "ab"))
    pool.submit(lambda actor, number: actor.add.remote(number), len(pairs))
    pool.push(counter)
    assert_type(pool.pop_idle(), ActorHandle[CounterCls] | None)
    anything = ActorPool([anybody])
    assert_type(list(anything.map(lambda actor, value: actor.whatever.remote(value), [1])), list[Any])
