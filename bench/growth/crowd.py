"""A thousand actors: made, called once and ended; and what they cost when nobody calls them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.growth.live import crowd
from bench.workload import (
    MEGABYTES,
    OURS,
    PERCENT,
    SECONDS,
    Measure,
    Sample,
    Workload,
    gone,
    pause,
    processor_seconds,
    proportional_set,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_NUMBER: Final = 1_000
#: Seconds of idling that are looked at: some heartbeats.
_IDLE: Final = 10.0


@contextmanager
def _lives(ray: ModuleType, number: int) -> Iterator[Measure]:
    actor_class = ray.remote(Counter)

    def measure(_: float) -> Sample:
        began = time.perf_counter()
        actors = [actor_class.remote() for _ in range(number)]
        pids = ray.get([actor.pid.remote() for actor in actors])
        called = time.perf_counter()
        megabytes = sum(map(proportional_set, pids))
        looked = time.perf_counter()
        del actors
        wait_for(lambda: all(map(gone, pids)), f"the end of {number} actors that nobody holds", 120)
        ended = time.perf_counter()
        return {SECONDS: called - began + ended - looked, MEGABYTES: megabytes}

    yield measure


@contextmanager
def _idles(ray: ModuleType, number: int) -> Iterator[Measure]:
    import psutil  # noqa: PLC0415 - Ray's side does not have it

    def used() -> float:
        # The server, and the supervisor with its workers.
        return sum(processor_seconds(process.pid) for process in psutil.Process().children(recursive=True))

    def measure(_: float) -> Sample:
        # This program's part without what it costs to look at the others.
        before, own, began = used(), time.process_time(), time.perf_counter()
        pause(_IDLE)
        own, took = time.process_time() - own, time.perf_counter() - began
        return {PERCENT: 100 * (used() - before + own) / took}

    with crowd(ray, number):
        yield measure


WORKLOADS: Final = (
    Workload("crowd/1000", "create, call once and end 1,000 actors", partial(_lives, number=_NUMBER), OURS),
    Workload("idle/1000", "processor time of 1,000 idle actors", partial(_idles, number=_NUMBER), OURS),
)
