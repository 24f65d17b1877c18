"""Values there and back, one at a time."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.actors import Counter
from bench.workload import Measure, Workload, by_one_actor, one_by_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from bench.workload import OneActor


@contextmanager
def _prepare(ray: ModuleType, make: Callable[[], Any]) -> Iterator[Measure]:
    counter = ray.remote(Counter).remote()
    value = make()

    def trip() -> None:
        if len(ray.get(counter.echo.remote(value))) != len(value):
            raise AssertionError("the echo differs from what was called")

    for _ in range(5):
        trip()
    yield lambda seconds: one_by_one(trip, seconds)


@contextmanager
def _one_actor(actor: OneActor, make: Callable[[], Any]) -> Iterator[Measure]:
    value = make()
    actor.call("echo", value)
    yield lambda seconds: one_by_one(lambda: actor.call("echo", value), seconds)


def _array(size: int) -> Any:
    import numpy as np  # noqa: PLC0415 - only two workloads need it

    return np.frombuffer(os.urandom(size), dtype=np.uint8)


def _echo(name: str, title: str, make: Callable[[], Any]) -> Workload:
    others = by_one_actor(partial(_one_actor, make=make))
    return Workload(f"echo/{name}", f"{title} echo, sync", partial(_prepare, make=make), others=others)


WORKLOADS: Final = (
    _echo("10KB", "10 KB", lambda: os.urandom(10_000)),
    _echo("1MB", "1 MB bytes", lambda: os.urandom(1_000_000)),
    _echo("10MB", "10 MB bytes", lambda: os.urandom(10_000_000)),
    _echo("1MB-numpy", "1 MB NumPy", lambda: _array(1_000_000)),
    _echo("10MB-numpy", "10 MB NumPy", lambda: _array(10_000_000)),
)
