"""The cost of a call with many clients: they are actors, which are clients of the actor that all of them call.

Each makes as many calls at a time, however many there are: only their number differs.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.actors import Counter, Holder
from bench.workload import OURS, Measure, Workload, in_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_CALLS: Final = 100


@contextmanager
def _prepare(ray: ModuleType, number: int) -> Iterator[Measure]:
    target = ray.remote(Counter).remote()
    callers = [ray.remote(Holder).remote(target) for _ in range(number)]

    def batch() -> None:
        ray.get([caller.call.remote(_CALLS) for caller in callers])

    batch()
    yield lambda seconds: in_batches(batch, number * _CALLS, seconds)


WORKLOADS: Final = tuple(
    Workload(f"clients/{size}", f"a call of one of {size:,} clients", partial(_prepare, number=size), OURS)
    for size in (1, 20, 200)
)
