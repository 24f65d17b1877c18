"""What checkers know of remote functions: parameters and results. This file is checked and not run."""

from collections.abc import Generator, Iterator
from typing import Any, assert_type

import callboard
from callboard import ActorHandle, ObjectRef, ObjectRefGenerator, RemoteFunction


@callboard.remote
def add(first: int, second: int = 1, *, times: int = 1) -> int:
    return (first + second) * times


@callboard.remote(num_cpus=2)
def name(text: str) -> list[str]:
    return [text]


@callboard.remote(max_retries=-1, retry_exceptions=[KeyError], name="careful")
def careful() -> str:
    return "careful"


@callboard.remote(num_returns=2)
def pair(text: str) -> tuple[int, str]:
    return 1, text


@callboard.remote(num_returns=0)
def nothing() -> None:
    pass


@callboard.remote
def count(most: int) -> Iterator[int]:
    yield from range(most)


@callboard.remote(num_returns="streaming", _generator_backpressure_num_objects=2)
def words() -> Generator[str]:
    yield "one"


class Plain:
    pass


@callboard.remote
def make() -> ActorHandle[Plain]:
    return callboard.remote(Plain).remote()


def calls() -> None:
    assert_type(add.remote(1), ObjectRef[int])
    assert_type(add.remote(1, second=2, times=3), ObjectRef[int])
    assert_type(add.remote(add.remote(1), 2), ObjectRef[int])
    assert_type(name.remote("x"), ObjectRef[list[str]])
    assert_type(careful.remote(), ObjectRef[str])
    assert_type(pair.remote("x"), list[ObjectRef[Any]])
    assert_type(nothing.remote(), None)
    assert_type(callboard.get(make.remote()), ActorHandle[Plain])
    assert_type(callboard.get(add.remote(1)), int)


def streams() -> None:
    assert_type(count.remote(3), ObjectRefGenerator[int])
    assert_type(words.remote(), ObjectRefGenerator[str])


def options() -> None:
    assert_type(add.options(num_cpus=0.5, max_retries=None).remote(1), ObjectRef[int])
    assert_type(add.options(num_returns=2).remote(1), list[ObjectRef[Any]])
    assert_type(pair.options(num_returns=1).remote("x"), ObjectRef[Any])
    assert_type(add.options(num_returns=0).remote(1), None)
    assert_type(count.options(max_retries=1).remote(3), ObjectRefGenerator[int])


def passed_on(function: RemoteFunction[[int], ObjectRef[int]]) -> int:
    return callboard.get(function.remote(1))
