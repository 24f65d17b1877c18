"""Mistakes that checkers are to find: each line that ends in a mark, and no other. This file is checked and not run."""

from collections.abc import Iterator

import callboard
from callboard import ActorHandle, ObjectRef


class CounterCls:
    def __init__(self, start: int, *, step: int = 1) -> None:
        self.value = start + step

    @callboard.method
    def add(self, amount: int, *, times: int = 1) -> int:
        self.twice("two")  # error
        return self.value + amount * times

    @callboard.method
    def twice(self, amount: int) -> int:
        return 2 * amount

    @callboard.method
    async def later(self, text: str) -> str:
        return text

    @callboard.method(num_returns=2)
    def pair(self, text: str) -> tuple[int, str]:
        return 1, text

    @callboard.method(banana=1)  # error
    def bad_option(self) -> None:
        pass

    @callboard.method(max_task_retries="three")  # error
    def bad_value(self) -> None:
        pass

    @callboard.method
    def count(self, most: int) -> Iterator[int]:
        yield from range(most)

    def unmarked(self, number: int) -> int:
        return number


Counter = callboard.remote(CounterCls)
counter = Counter.remote(1)

Counter.remote()  # error
Counter.remote("one")  # error
Counter.remote(1, 2)  # error
Counter.remote(1, stop=2)  # error
Counter.remote(1, step="two")  # error
Counter(1)  # error
Counter.nothing  # error

counter.add.remote()  # error
counter.add.remote("one")  # error
counter.add.remote(1, 2)  # error
counter.add.remote(1, tmes=2)  # error
counter.later.remote(1)  # error
counter.pair.remote(1)  # error
counter.count.remote("three")  # error
counter.add(1)  # error
counter.nothing.remote()  # error
counter.unmarked.remote(1)  # error

text: ObjectRef[str] = counter.add.remote(1)  # error
found: str = callboard.get(counter.add.remote(1))  # error
several: list[str] = callboard.get([counter.add.remote(1)])  # error
both: tuple[int, int] = counter.pair.remote("x")  # error

callboard.get(counter)  # error
callboard.get(1)  # error
callboard.get([1])  # error
callboard.get(counter.add.remote(1), 5)  # error
callboard.wait(counter.add.remote(1))  # error
callboard.kill(counter.add.remote(1))  # error

callboard.remote(num_cpu=1)(CounterCls)  # error
callboard.remote(num_cpus="one")(CounterCls)  # error
callboard.remote(lifetime="for ever")(CounterCls)  # error
callboard.remote(1)  # error
callboard.remote(num_cpus=1)(CounterCls).remote("one")  # error
Counter.options(max_restart=1)  # error
Counter.options(name=1).remote(1)  # error
Counter.options(name="one").remote("one")  # error
counter.add.options(num_return=2)  # error
counter.add.options(num_returns="two")  # error
counter.add.options(name="sum").remote("one")  # error


def of_a_class(handle: ActorHandle[CounterCls]) -> None:
    handle.add.remote("one")  # error


class Other:
    pass


of_a_class(counter)
of_a_class(callboard.remote(Other).remote())  # error


for ref in counter.count.remote(3):
    word: str = callboard.get(ref)  # error


async def awaited() -> None:
    found: str = await counter.add.remote(1)  # error
    found = await counter.later.remote("x")
    print(found)


@callboard.remote
def add(first: int, second: int = 1) -> int:
    return first + second


@callboard.remote(max_retries="three")  # error
def bad_task() -> None:
    pass


add.remote()  # error
add.remote("one")  # error
add.remote(1, third=3)  # error
add(1)  # error
add.options(max_task_retries=1)  # error
total: str = callboard.get(add.remote(1))  # error
