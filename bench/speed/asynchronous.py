"""One call at a time to an async actor."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import AsyncCounter
from bench.workload import Measure, Workload, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    counter = ray.remote(AsyncCounter).remote()

    def trip() -> None:
        ray.get(counter.add.remote())

    for _ in range(100):
        trip()
    yield lambda seconds: one_by_one(trip, seconds)


WORKLOADS: Final = (Workload("sync/async", "async actor, sync call", _prepare),)
