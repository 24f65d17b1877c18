"""How long it takes from the end of a call until its caller has the outcome, when the actor's next call blocks."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bench.actors import Counter
from bench.figures import percentile
from bench.workload import OURS, P50, P99, Measure, Sample, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

#: Seconds that the next call blocks: long beside what is looked for, and short enough to be tried often.
_BLOCK: Final = 0.05
#: The same where the actor is killed afterwards.
_LONG: Final = 10.0
_ACTORS: Final = 30


def _seen_after(ray: ModuleType, counter: Any, block: float) -> tuple[float, Any]:
    stamped, blocked = counter.stamp.remote(), counter.block.remote(block)
    ended = ray.get(stamped)
    return (time.monotonic() - ended) * 1000, blocked


def _sample(times: list[float]) -> Sample:
    return {P99: percentile(times, 99), P50: percentile(times, 50)}


@contextmanager
def _again(ray: ModuleType) -> Iterator[Measure]:
    counter = ray.remote(Counter).remote()
    ray.get(counter.stamp.remote())

    def measure(seconds: float) -> Sample:
        times = []
        for _ in range(max(1, round(3 * seconds / _BLOCK))):
            seen, blocked = _seen_after(ray, counter, _BLOCK)
            times.append(seen)
            ray.get(blocked)
        return _sample(times)

    yield measure


@contextmanager
def _first(ray: ModuleType) -> Iterator[Measure]:
    def measure(_: float) -> Sample:
        times = []
        for _ in range(_ACTORS):
            counter = ray.remote(Counter).remote()
            ray.get(counter.stamp.remote())
            times.append(_seen_after(ray, counter, _LONG)[0])
            ray.kill(counter)
        return _sample(times)

    yield measure


WORKLOADS: Final = (
    Workload("visible/again", "outcome visible, next call blocks", _again, OURS),
    Workload("visible/first", "outcome visible, next call blocks for the first time", _first, OURS),
)
