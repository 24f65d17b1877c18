"""The cost of a call while other actors live: to one of them, and to all in turn."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import OURS, Measure, Workload, gone, in_batches, one_by_one, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any

_SIZES: Final = (1, 100, 1_000)
_IN_FLIGHT: Final = 1_000


@contextmanager
def crowd(ray: ModuleType, number: int) -> Iterator[list[Any]]:
    """Make actors, call each once, and wait for their end after that."""
    actor_class = ray.remote(Counter)
    actors = [actor_class.remote() for _ in range(number)]
    pids = ray.get([actor.pid.remote() for actor in actors])
    try:
        yield actors
    finally:
        for actor in actors:
            ray.kill(actor)
        wait_for(lambda: all(map(gone, pids)), f"the end of {number} actors that were killed")


@contextmanager
def _one(ray: ModuleType, number: int) -> Iterator[Measure]:
    with crowd(ray, number) as actors:
        yield lambda seconds: one_by_one(lambda: ray.get(actors[0].add.remote()), seconds)


@contextmanager
def _all(ray: ModuleType, number: int) -> Iterator[Measure]:
    with crowd(ray, number) as actors:

        def batch() -> None:
            ray.get([actor.add.remote() for actor in islice(cycle(actors), _IN_FLIGHT)])

        batch()
        yield lambda seconds: in_batches(batch, _IN_FLIGHT, seconds)


WORKLOADS: Final = (
    *(
        Workload(f"live/{size}", f"a call to one of {size:,} actors", partial(_one, number=size), OURS)
        for size in _SIZES
    ),
    *(
        Workload(f"spread/{size}", f"1,000 calls to {size:,} actors in turn", partial(_all, number=size), OURS)
        for size in _SIZES
    ),
)
