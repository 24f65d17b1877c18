"""Calls of an actor while others are busy, or do not read what they asked for."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bench.actors import Counter, Holder
from bench.workload import OURS, Measure, Workload, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_QUEUED: Final = 1_000
#: Seconds; the actor is killed before.
_LONG: Final = 3_600.0


def _calls(ray: ModuleType, counter: Any) -> Measure:
    def trip() -> None:
        ray.get(counter.add.remote())

    for _ in range(100):
        trip()
    return lambda seconds: one_by_one(trip, seconds)


@contextmanager
def _nobody(ray: ModuleType) -> Iterator[Measure]:
    yield _calls(ray, ray.remote(Counter).remote())


@contextmanager
def _busy_actor(ray: ModuleType) -> Iterator[Measure]:
    busy = ray.remote(Counter).remote()
    refs = [busy.spin.remote(_LONG), *(busy.add.remote() for _ in range(_QUEUED))]
    try:
        yield _calls(ray, ray.remote(Counter).remote())
    finally:
        ray.kill(busy)
        ray.wait(refs, num_returns=len(refs), timeout=60)


@contextmanager
def _slow_reader(ray: ModuleType) -> Iterator[Measure]:
    target = ray.remote(Counter).remote()
    flooder = ray.remote(Holder).remote(target)
    pid = ray.get(flooder.ask.remote(1_000, 10_000))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield _calls(ray, target)
    finally:
        ray.kill(flooder)


WORKLOADS: Final = (
    Workload("beside/nobody", "1:1 sync call", _nobody, OURS),
    Workload("beside/busy-process", "1:1 sync call, a process beside it is busy", _nobody, OURS, busy=1),
    Workload("beside/busy-actor", "1:1 sync call, an actor beside it is busy", _busy_actor, OURS),
    Workload("beside/slow-reader", "1:1 sync call, another caller does not read", _slow_reader, OURS),
)
