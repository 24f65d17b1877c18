"""One call at a time, on an idle machine and with one core busy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import Measure, Workload, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from bench.floor import Floor

_WARM: Final = 100


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    counter = ray.remote(Counter).remote()

    def trip() -> None:
        ray.get(counter.add.remote())

    for _ in range(_WARM):
        trip()
    yield lambda seconds: one_by_one(trip, seconds)


@contextmanager
def _floor(floor: Floor) -> Iterator[Measure]:
    for _ in range(_WARM):
        floor.call("add", None)
    yield lambda seconds: one_by_one(lambda: floor.call("add", None), seconds)


WORKLOADS: Final = (
    Workload("sync/idle", "1:1 sync call", _prepare, others={"floor": _floor}),
    Workload("sync/busy", "1:1 sync call, one core busy", _prepare, others={"floor": _floor}, busy=1),
)
