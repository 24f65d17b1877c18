"""A8: a queue that processes share."""

import asyncio
import queue
from types import ModuleType
from typing import Any

import pytest
from tests.support.looking import wait_for_death

from callboard.util.queue import Empty, Full, Queue

BOUND = 10


class Worker:
    """Use a queue."""

    def fill(self, shared: Queue, number: int) -> None:
        """Put numbers."""
        for index in range(number):
            shared.put(index)

    def drain(self, shared: Queue, number: int) -> list[Any]:
        """Take so many items."""
        return [shared.get(timeout=BOUND) for _ in range(number)]


def test_a8_first_in_first_out(ray: ModuleType) -> None:
    """Sizes are told, and items come in order."""
    shared = Queue()
    assert (ray.is_initialized(), shared.empty(), shared.full(), len(shared)) == (True, True, False, 0)
    for index in range(5):
        shared.put(index)
    assert (shared.qsize(), shared.size(), shared.empty()) == (5, 5, False)
    assert [shared.get() for _ in range(5)] == list(range(5))


def test_a8_without_blocking(ray: ModuleType) -> None:
    """Errors are Ray's and the standard library's at once."""
    shared = Queue(maxsize=2)
    with pytest.raises(Empty):
        shared.get_nowait()
    with pytest.raises(queue.Empty):
        shared.get(block=False)
    shared.put_nowait_batch([1, 2])
    assert shared.full()
    with pytest.raises(Full):
        shared.put_nowait(3)
    with pytest.raises(queue.Full):
        shared.put(3, block=False)
    with pytest.raises(Empty, match="3 items"):
        shared.get_nowait_batch(3)
    assert shared.get_nowait_batch(2) == [1, 2]
    with pytest.raises(Full):
        shared.put_nowait_batch([1, 2, 3])
    assert shared.empty()
    assert ray.is_initialized()


def test_a8_with_timeouts(ray: ModuleType) -> None:
    """They are kept, and bad ones are refused."""
    shared = Queue(maxsize=1)
    with pytest.raises(Empty):
        shared.get(timeout=0.1)
    shared.put(1, timeout=0.1)
    with pytest.raises(Full):
        shared.put(2, timeout=0.1)
    for refused in (lambda: shared.get(timeout=-1), lambda: shared.put(1, timeout=-1)):
        with pytest.raises(ValueError, match="non-negative"):
            refused()
    with pytest.raises(ValueError, match="must not be negative"):
        shared.get_nowait_batch(-1)
    with pytest.raises(TypeError, match="must be an int"):
        shared.get_nowait_batch("x")  # type: ignore[arg-type]
    assert ray.is_initialized()


def test_a8_shared_by_actors(ray: ModuleType) -> None:
    """A queue is passed like a handle; whoever waits for room or items goes on when there is some."""
    shared = Queue(maxsize=3)
    filler, drainer = ray.remote(Worker).remote(), ray.remote(Worker).remote()
    drained = drainer.drain.remote(shared, 20)
    ray.get(filler.fill.remote(shared, 20), timeout=BOUND)
    assert ray.get(drained, timeout=BOUND) == list(range(20))


def test_a8_awaited(ray: ModuleType) -> None:
    """In coroutines."""

    async def use(shared: Queue) -> list[Any]:
        waiting = asyncio.create_task(shared.get_async())
        await shared.put_async("first")
        await shared.put_async("second", block=False)
        with pytest.raises(Full):
            await asyncio.gather(*[shared.put_async(index, block=False) for index in range(3)])
        found = [await waiting, await shared.get_async(block=False)]
        while not shared.empty():
            await shared.get_async()
        with pytest.raises(Empty):
            await shared.get_async(timeout=0.1)
        return found

    assert asyncio.run(use(Queue(maxsize=2))) == ["first", "second"]
    assert ray.is_initialized()


@pytest.mark.parametrize("force", [False, True])
def test_a8_shutdown(ray: ModuleType, force: bool) -> None:
    """The actor ends, and the queue with it."""
    shared = Queue(actor_options={"name": f"queue {force}"})
    shared.put(1)
    actor = ray.get_actor(f"queue {force}")
    shared.shutdown(force=force)
    wait_for_death(actor)
    with pytest.raises(ray.exceptions.ActorDiedError):
        shared.get()
