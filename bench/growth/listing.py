"""Listing 10,000 actors, which wait for a resource that no node has."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import BY_COMMAND, OURS, SECONDS, Measure, Sample, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_NUMBER: Final = 10_000


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    actor_class = ray.remote(Counter).options(resources={"nowhere": 1})
    actors = [actor_class.remote() for _ in range(_NUMBER)]

    def measure(_: float) -> Sample:
        began = time.perf_counter()
        found = ray.util.state.list_actors(filters=[("state", "!=", "DEAD")], limit=_NUMBER)
        took = time.perf_counter() - began
        if len(found) < _NUMBER:
            raise AssertionError(f"{len(found)} of {len(actors)} actors are listed")
        command = [sys.executable, "-m", "callboard.cli", "list", "actors", "--limit", str(_NUMBER)]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {SECONDS: took, BY_COMMAND: time.perf_counter() - began}

    yield measure


WORKLOADS: Final = (Workload("list/10000", "list 10,000 actors", _prepare, OURS),)
