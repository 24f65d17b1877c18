"""Remote functions, beside plain jobs of RQ that do the same."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.workload import Measure, Prepare, Sample, Workload, in_batches, one_by_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from bench.plainrq import PlainRq

_IN_FLIGHT: Final = 100
#: The same function by its name, as RQ wants it.
_NAME: Final = "bench.speed.tasks.double"


def double(number: int) -> int:
    """Do next to nothing."""
    return 2 * number


def _one_at_a_time(call: Callable[[int], list[Any]], seconds: float) -> Sample:
    return one_by_one(lambda: call(1), seconds)


def _many(call: Callable[[int], list[Any]], seconds: float) -> Sample:
    return in_batches(lambda: call(_IN_FLIGHT), _IN_FLIGHT, seconds)


@contextmanager
def _prepare(ray: ModuleType, run: Callable[[Callable[[int], list[Any]], float], Sample]) -> Iterator[Measure]:
    doubled = ray.remote(double)

    def call(count: int) -> list[Any]:
        return list(ray.get([doubled.remote(number) for number in range(count)]))

    # Workers are started when tasks wait.
    for _ in range(3):
        call(_IN_FLIGHT)
    yield partial(run, call)


@contextmanager
def _plain(plain: PlainRq, run: Callable[[Callable[[int], list[Any]], float], Sample]) -> Iterator[Measure]:
    def call(count: int) -> list[Any]:
        return plain.run(_NAME, count)

    call(_IN_FLIGHT)
    yield partial(run, call)


def _both(run: Callable[[Callable[[int], list[Any]], float], Sample]) -> dict[str, Any]:
    ours: Prepare = partial(_prepare, run=run)
    return {"prepare": ours, "others": {"rq": partial(_plain, run=run)}}


WORKLOADS: Final = (
    Workload("tasks/sync", "remote function, sync", **_both(_one_at_a_time)),
    Workload("tasks/100", "remote function, 100 in flight", **_both(_many)),
)
