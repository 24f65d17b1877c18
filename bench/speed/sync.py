"""One call at a time, on an idle machine and with one core busy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import Measure, Workload, by_one_actor, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from bench.workload import OneActor

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
def _one_actor(actor: OneActor) -> Iterator[Measure]:
    for _ in range(_WARM):
        actor.call("add")
    yield lambda seconds: one_by_one(lambda: actor.call("add"), seconds)


WORKLOADS: Final = (
    Workload("sync/idle", "1:1 sync call", _prepare, others=by_one_actor(_one_actor)),
    Workload("sync/busy", "1:1 sync call, one core busy", _prepare, others=by_one_actor(_one_actor), busy=1),
)
