"""Memory that the server takes per waiting call and per actor."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.growth.live import crowd
from bench.workload import BYTES, OURS, Measure, Sample, Workload, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_CALLS: Final = 10_000
_ACTORS: Final = 200


def _used() -> int:
    import redis  # noqa: PLC0415 - Ray's side does not have it

    with redis.Redis.from_url(os.environ["CALLBOARD_ADDRESS"]) as server:
        return int(server.info("memory")["used_memory"])


@contextmanager
def _calls(ray: ModuleType) -> Iterator[Measure]:
    def measure(_: float) -> Sample:
        counter = ray.remote(Counter).remote()
        ray.get(counter.add.remote())
        before = _used()
        refs = [counter.block.remote(60.0), *(counter.add.remote() for _ in range(_CALLS))]
        # A call to another actor is behind these on the way to the server.
        other = ray.remote(Counter).remote()
        ray.get(other.add.remote())
        found = (_used() - before) / _CALLS
        ray.kill(counter)
        ray.kill(other)
        ray.wait(refs, num_returns=len(refs), timeout=60)
        return {BYTES: found}

    yield measure


@contextmanager
def _actors(ray: ModuleType) -> Iterator[Measure]:
    def measure(_: float) -> Sample:
        before = _used()
        with crowd(ray, _ACTORS):
            found = (_used() - before) / _ACTORS
        # The records of the dead stay for a while; nothing else may.
        wait_for(lambda: (_used() - before) / _ACTORS < found, "the server to have less memory in use")
        return {BYTES: found}

    yield measure


WORKLOADS: Final = (
    Workload("memory/call", "memory in Redis per waiting call", _calls, OURS),
    Workload("memory/actor", "memory in Redis per live actor", _actors, OURS),
)
