"""Others' actors: those of dask and of xoscar, each one actor in a process of its own."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.actors import Counter

if TYPE_CHECKING:
    from collections.abc import Iterator


class DaskActor:
    """An actor of dask, on a worker with one thread."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def call(self, method: str, *arguments: object) -> Any:
        """Call once and return the result."""
        return getattr(self._actor, method)(*arguments).result()

    def pipeline(self, count: int) -> None:
        """Make many calls, and only then read their results."""
        for future in [self._actor.add() for _ in range(count)]:
            future.result()


class XoscarActor:
    """An actor of xoscar, called from outside of its event loop as Ray's are."""

    def __init__(self, actor: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._actor = actor
        self._loop = loop

    def call(self, method: str, *arguments: object) -> Any:
        """Call once and return the result."""
        return self._loop.run_until_complete(getattr(self._actor, method)(*arguments))

    def pipeline(self, count: int) -> None:
        """Make many calls, and only then read their results."""
        self._loop.run_until_complete(self._all(count))

    async def _all(self, count: int) -> None:
        await asyncio.gather(*[self._actor.add() for _ in range(count)])


@contextmanager
def dask_actor() -> Iterator[DaskActor]:
    """Start a scheduler and a worker, and end them."""
    import distributed  # noqa: PLC0415 - only one side needs it

    client_cls: Any = distributed.Client  # it has no types
    with (
        tempfile.TemporaryDirectory(prefix="dask-", ignore_cleanup_errors=True) as folder,
        client_cls(n_workers=1, threads_per_worker=1, dashboard_address=None, local_directory=folder) as client,
    ):
        yield DaskActor(client.submit(Counter, actor=True).result())


@contextmanager
def xoscar_actor() -> Iterator[XoscarActor]:
    """Start a pool with one process beside this one, and end it."""
    import xoscar  # noqa: PLC0415 - only one side needs it

    class XoscarCounter(Counter, xoscar.Actor):  # type: ignore[misc]  # xoscar has no types
        pass

    loop = asyncio.new_event_loop()

    async def start() -> tuple[Any, Any]:
        pool = await xoscar.create_actor_pool("127.0.0.1", n_process=1)
        strategy = xoscar.allocate_strategy.ProcessIndex(1)
        return pool, await xoscar.create_actor(XoscarCounter, address=pool.external_address, allocate_strategy=strategy)

    pool, actor = loop.run_until_complete(start())
    try:
        yield XoscarActor(actor, loop)
    finally:
        loop.run_until_complete(pool.stop())
        loop.close()
