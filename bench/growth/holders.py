"""The cost of a call while many hold a handle to its actor."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.actors import Counter, Holder
from bench.workload import OURS, Measure, Workload, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def _prepare(ray: ModuleType, number: int) -> Iterator[Measure]:
    target = ray.remote(Counter).remote()
    holders = [ray.remote(Holder).remote(target) for _ in range(number)]
    ray.get([holder.ready.remote() for holder in holders])
    yield lambda seconds: one_by_one(lambda: ray.get(target.add.remote()), seconds)
    for holder in holders:
        ray.kill(holder)


WORKLOADS: Final = tuple(
    Workload(f"holders/{size}", f"a call, {size:,} hold a handle", partial(_prepare, number=size), OURS)
    for size in (1, 100, 1_000)
)
