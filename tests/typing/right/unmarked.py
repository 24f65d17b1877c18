"""Handles without a class, and classes without marks or annotations: anything goes, and gives anything."""

from typing import Any, assert_type

import callboard
from callboard import ActorHandle, ObjectRef


class Plain:
    def __init__(self, start: int = 0) -> None:
        self.start = start

    def add(self, amount: int) -> int:
        return self.start + amount


PlainActor = callboard.remote(Plain)


def unmarked() -> None:
    plain: ActorHandle = PlainActor.remote(1)
    assert_type(plain.add.remote(1), Any)
    assert_type(callboard.get(plain.add.remote(1)), Any)
    callboard.get([plain.add.remote(1), plain.add.options(num_returns=1).remote(2)])
    keep(plain)


def keep(handle: ActorHandle) -> list[ActorHandle]:
    handle.__ray_terminate__.remote()
    assert_type(callboard.get(handle.__ray_ready__.remote()), Any)
    callboard.kill(handle)
    return [handle]


def found() -> None:
    anybody = callboard.get_actor("anybody")
    assert_type(anybody.add.remote("one", two=2), Any)
    known: ActorHandle[Plain] = callboard.get_actor("plain", namespace="here")
    keep(known)
    keep(callboard.get_runtime_context().current_actor)


def bare(ref: ObjectRef, actor_class: callboard.ActorClass) -> ActorHandle:
    assert_type(callboard.get(ref), Any)
    return actor_class.options(max_restarts=1).remote("anything", at="all")


def from_anywhere(unknown: Any) -> None:
    # It might be a function, too.
    some_class: type[Any] = unknown
    handle = callboard.remote(some_class).remote(1)
    callboard.get(handle.anything.remote())
    callboard.get(unknown)


@callboard.remote
class Decorated:
    def add(self, amount: int) -> int:
        return amount


@callboard.remote(num_cpus=1, max_task_retries=-1)
class DecoratedToo:
    def add(self, amount: int) -> int:
        return amount


def decorated() -> None:
    # mypy does not apply the decorators of classes, whatever they return; others know the constructor.
    handle: ActorHandle = Decorated.remote()  # type: ignore[attr-defined, unused-ignore]
    assert_type(handle.add.remote(1), Any)
    other: ActorHandle = DecoratedToo.options(name="x").remote()  # type: ignore[attr-defined, unused-ignore]
    assert_type(other.add.remote(1), Any)
