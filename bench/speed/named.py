"""Finding an actor by its name, and calling it once."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import Measure, Workload, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    name = f"named-{secrets.token_hex(4)}"
    # Nobody else keeps a handle, so each lookup is the first.
    ray.remote(Counter).options(name=name, lifetime="detached").remote()

    def trip() -> None:
        ray.get(ray.get_actor(name).add.remote())

    try:
        for _ in range(20):
            trip()
        yield lambda seconds: one_by_one(trip, seconds)
    finally:
        ray.kill(ray.get_actor(name))


WORKLOADS: Final = (Workload("named", "get_actor + first call", _prepare),)
