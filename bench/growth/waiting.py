"""The cost of a call while others wait: as many as before are always in flight."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import CALLS, OURS, Measure, Sample, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

#: Results that are taken, and calls that are made, at a time.
_CHUNK: Final = 500


@contextmanager
def _prepare(ray: ModuleType, waiting: int) -> Iterator[Measure]:
    counter = ray.remote(Counter).remote()
    refs = deque(counter.add.remote() for _ in range(waiting))

    def measure(seconds: float) -> Sample:
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            chunk = min(_CHUNK, waiting)
            ray.get([refs.popleft() for _ in range(chunk)])
            refs.extend(counter.add.remote() for _ in range(chunk))
            count += chunk
        return {CALLS: count / took}

    try:
        measure(0.5)
        yield measure
    finally:
        ray.kill(counter)


WORKLOADS: Final = tuple(
    Workload(f"waiting/{number}", f"a call while {number:,} wait", partial(_prepare, waiting=number), OURS)
    for number in (10, 1_000, 100_000)
)
