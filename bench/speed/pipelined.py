"""A thousand calls in flight: to one actor, to two, to an async and to a threaded one."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from bench.actors import AsyncCounter, Counter
from bench.workload import Measure, Prepare, Workload, by_one_actor, in_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from bench.workload import OneActor

IN_FLIGHT: Final = 1_000


@contextmanager
def _prepared(ray: ModuleType, actor_cls: type, number: int, options: dict[str, Any]) -> Iterator[Measure]:
    actor_class = ray.remote(actor_cls).options(**options)
    actors = [actor_class.remote() for _ in range(number)]

    def batch() -> None:
        ray.get([actor.add.remote() for actor in islice(cycle(actors), IN_FLIGHT)])

    batch()
    yield lambda seconds: in_batches(batch, IN_FLIGHT, seconds)


def _to(actor_cls: type, number: int = 1, **options: Any) -> Prepare:
    return partial(_prepared, actor_cls=actor_cls, number=number, options=options)


@contextmanager
def _one_actor(actor: OneActor) -> Iterator[Measure]:
    actor.pipeline(IN_FLIGHT)
    yield lambda seconds: in_batches(lambda: actor.pipeline(IN_FLIGHT), IN_FLIGHT, seconds)


WORKLOADS: Final = (
    Workload("pipelined/1", "1:1 pipelined, 1,000 in flight", _to(Counter), others=by_one_actor(_one_actor)),
    Workload("pipelined/2", "1 client, 2 actors, pipelined", _to(Counter, 2)),
    Workload("pipelined/async", "async actor, pipelined", _to(AsyncCounter)),
    Workload("pipelined/threaded", "threaded actor (4), pipelined", _to(Counter, max_concurrency=4)),
)
