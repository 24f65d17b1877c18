"""Calls of an actor while others are busy, or do not read what they asked for."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bench.actors import Counter, Holder
from bench.workload import ALONE, CALLS, OURS, Measure, Sample, Workload, one_by_one, spinning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

_QUEUED: Final = 1_000


def _trips(ray: ModuleType, counter: Any) -> Callable[[float], Sample]:
    def trip() -> None:
        ray.get(counter.add.remote())

    for _ in range(100):
        trip()
    return lambda seconds: one_by_one(trip, seconds)


@contextmanager
def _busy_actor(ray: ModuleType) -> Iterator[Measure]:
    busy = ray.remote(Counter).remote()
    trips = _trips(ray, ray.remote(Counter).remote())

    def measure(seconds: float) -> Sample:
        # The cores allow as much as they allow beside a process that has nothing to do with callboard.
        with spinning(1):
            alone = trips(seconds)
        refs = [busy.spin.remote(seconds), *(busy.add.remote() for _ in range(_QUEUED))]
        beside = trips(seconds)
        ray.get(refs)
        return {**beside, ALONE: alone[CALLS]}

    yield measure


@contextmanager
def _slow_reader(ray: ModuleType) -> Iterator[Measure]:
    alone, target = _trips(ray, ray.remote(Counter).remote()), ray.remote(Counter).remote()
    flooder = ray.remote(Holder).remote(target)
    pid = ray.get(flooder.ask.remote(1_000, 10_000))
    os.kill(pid, signal.SIGSTOP)
    beside = _trips(ray, target)
    try:
        yield lambda seconds: {ALONE: alone(seconds)[CALLS]} | beside(seconds)
    finally:
        ray.kill(flooder)


WORKLOADS: Final = (
    Workload("beside/busy-actor", "1:1 sync call, an actor (alone: a process) beside it is busy", _busy_actor, OURS),
    Workload("beside/slow-reader", "1:1 sync call, another caller does not read", _slow_reader, OURS),
)
