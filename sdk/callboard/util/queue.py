"""A queue that processes share: an actor with an `asyncio.Queue`."""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING, Any

import callboard
from callboard.exceptions import RayError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Empty", "Full", "Queue"]


class Empty(RayError, queue.Empty):  # noqa: N818 - Ray's name
    """Raised when a queue has nothing to give, or not in time."""


class Full(RayError, queue.Full):  # noqa: N818 - Ray's name
    """Raised when a queue has no room, or not in time."""


class _Holder:
    """The actor behind a queue; everything happens on its event loop, in the order in which calls begin."""

    def __init__(self, maxsize: int) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue(maxsize)

    @callboard.method
    async def size(self) -> int:
        return self._queue.qsize()

    @callboard.method
    async def empty(self) -> bool:
        return self._queue.empty()

    @callboard.method
    async def full(self) -> bool:
        return self._queue.full()

    @callboard.method
    async def put(self, item: Any, seconds: float | None) -> bool:
        try:
            await asyncio.wait_for(self._queue.put(item), seconds)
        except TimeoutError:
            return False
        return True

    @callboard.method
    async def get(self, seconds: float | None) -> tuple[bool, Any]:
        try:
            return True, await asyncio.wait_for(self._queue.get(), seconds)
        except TimeoutError:
            return False, None

    @callboard.method
    async def put_at_once(self, items: list[Any]) -> bool:
        if 0 < self._queue.maxsize < self._queue.qsize() + len(items):
            return False
        for item in items:
            self._queue.put_nowait(item)
        return True

    @callboard.method
    async def get_at_once(self, number: int) -> list[Any] | None:
        if self._queue.qsize() < number:
            return None
        return [self._queue.get_nowait() for _ in range(number)]


class Queue:
    """A first-in, first-out queue that may be passed to other processes like a handle.

    It lives as long as its actor: as long as somebody has it, its creator lives, and `shutdown` has not been called.
    What one process puts comes out in the order in which it was put. An item that a process waits for when it dies may
    be lost with it.

    Args:
        maxsize: Items that it holds at most; 0 for any number.
        actor_options: Options of its actor, such as ``name`` and ``lifetime``.
    """

    def __init__(self, maxsize: int = 0, actor_options: Mapping[str, Any] | None = None) -> None:
        self.maxsize = maxsize
        self.actor = callboard.remote(_Holder).options(**(actor_options or {})).remote(maxsize)

    def __len__(self) -> int:
        return self.size()

    def size(self) -> int:
        """Return how many items there are."""
        return callboard.get(self.actor.size.remote())

    def qsize(self) -> int:
        """Return how many items there are."""
        return self.size()

    def empty(self) -> bool:
        """Tell whether there is nothing in it."""
        return callboard.get(self.actor.empty.remote())

    def full(self) -> bool:
        """Tell whether there is no room in it."""
        return callboard.get(self.actor.full.remote())

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item.

        Args:
            item: Anything that can be pickled.
            block: Whether to wait for room.
            timeout: Seconds to wait at most; None for any time.

        Raises:
            Full: There is no room, or none in time.
            ValueError: The timeout is negative.
        """
        if not block:
            self.put_nowait(item)
        elif not callboard.get(self.actor.put.remote(item, _checked(timeout))):
            raise Full(f"the queue had no room for {timeout} s; it holds {self.maxsize} items")

    async def put_async(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ASYNC109 - Ray's
        """Put an item, awaiting room; see `put`."""
        if not block:
            if not await self.actor.put_at_once.remote([item]):
                raise self._full(1)
        elif not await self.actor.put.remote(item, _checked(timeout)):
            raise Full(f"the queue had no room for {timeout} s; it holds {self.maxsize} items")

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item.

        Args:
            block: Whether to wait for one.
            timeout: Seconds to wait at most; None for any time.

        Raises:
            Empty: There is none, or none in time.
            ValueError: The timeout is negative.
        """
        if not block:
            return self.get_nowait()
        return _taken(callboard.get(self.actor.get.remote(_checked(timeout))), timeout)

    async def get_async(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - Ray's
        """Take an item, awaiting one; see `get`."""
        if not block:
            found = await self.actor.get_at_once.remote(1)
            if found is None:
                raise Empty("the queue is empty")
            return found[0]
        return _taken(await self.actor.get.remote(_checked(timeout)), timeout)

    def put_nowait(self, item: Any) -> None:
        """Put an item if there is room.

        Raises:
            Full: There is none.
        """
        self.put_nowait_batch([item])

    def put_nowait_batch(self, items: Iterable[Any]) -> None:
        """Put several items, all or none.

        Raises:
            Full: There is no room for all.
        """
        batch = list(items)
        if not callboard.get(self.actor.put_at_once.remote(batch)):
            raise self._full(len(batch))

    def get_nowait(self) -> Any:
        """Take an item if there is one.

        Raises:
            Empty: There is none.
        """
        return self.get_nowait_batch(1)[0]

    def get_nowait_batch(self, num_items: int) -> list[Any]:
        """Take so many items, all or none.

        Raises:
            Empty: There are not so many.
            TypeError: ``num_items`` is no number.
            ValueError: It is negative.
        """
        if not isinstance(num_items, int):
            raise TypeError(f"num_items must be an int, not {num_items!r}")
        if num_items < 0:
            raise ValueError(f"num_items must not be negative, but is {num_items}")
        found = callboard.get(self.actor.get_at_once.remote(num_items))
        if found is None:
            raise Empty(f"the queue does not have {num_items} items")
        return found

    def shutdown(self, force: bool = False, grace_period_s: float = 5) -> None:
        """End the queue and drop what is in it; the queue is of no use afterwards.

        Args:
            force: Kill its actor at once; what waits in `get` or `put` gets an error.
            grace_period_s: Seconds for calls before this one to finish otherwise, before it is killed all the same.
        """
        if not force:
            actor: callboard.ActorHandle = self.actor
            callboard.wait([actor.__ray_terminate__.remote()], timeout=grace_period_s)
        callboard.kill(self.actor)

    def _full(self, number: int) -> Full:
        return Full(f"the queue has no room for {number} items; it holds {self.maxsize}")


def _checked(timeout: float | None) -> float | None:
    if timeout is not None and timeout < 0:
        raise ValueError(f"'timeout' must be a non-negative number of seconds, not {timeout}")
    return timeout


def _taken(found: tuple[bool, Any], timeout: float | None) -> Any:
    there, item = found
    if not there:
        raise Empty(f"the queue had nothing to give for {timeout} s")
    return item
