"""Memory of an idle actor."""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import MEGABYTES, Measure, Workload, proportional_set

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_ACTORS: Final = 10


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    actor_class = ray.remote(Counter)
    actors = [actor_class.remote() for _ in range(_ACTORS)]
    pids = ray.get([actor.pid.remote() for actor in actors])
    yield lambda _: {MEGABYTES: statistics.median(map(proportional_set, pids))}


WORKLOADS: Final = (Workload("memory", "memory (PSS) of an idle actor", _prepare),)
