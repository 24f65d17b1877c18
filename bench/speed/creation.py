"""Actors made together and each called once. They are dropped afterwards, which is not timed but waited for."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import ACTORS, OURS, Measure, Sample, Workload, gone, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def _prepare(ray: ModuleType, number: int) -> Iterator[Measure]:
    actor_class = ray.remote(Counter)

    def create(count: int) -> float:
        began = time.perf_counter()
        actors = [actor_class.remote() for _ in range(count)]
        pids = ray.get([actor.pid.remote() for actor in actors])
        took = time.perf_counter() - began
        del actors
        wait_for(lambda: all(map(gone, pids)), f"the end of {count} actors that nobody holds")
        return took

    def measure(_: float) -> Sample:
        return {ACTORS: number / create(number)}

    create(2)
    yield measure


WORKLOADS: Final = (
    Workload("create/30", "create + first call, 30 actors", partial(_prepare, number=30)),
    # Ray would take minutes; its speed per actor is that of 30.
    Workload("create/200", "create + first call, 200 actors", partial(_prepare, number=200), speakers=(*OURS, "aof")),
)
