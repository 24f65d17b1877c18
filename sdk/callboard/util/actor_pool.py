"""A pool of actors that work off values between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from callboard._api import get, wait
from callboard._generics import T
from callboard._ref import ObjectRef
from callboard.exceptions import ActorDiedError, RayTaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from callboard._typed import ActorHandle

__all__ = ["ActorPool"]

V = TypeVar("V")
R = TypeVar("R")

#: What a function makes of an actor and a value: the reference of a call, or those of a call that returns several.
Work: TypeAlias = "ObjectRef[R] | list[ObjectRef[Any]]"


@dataclass(frozen=True, slots=True)
class _Task(Generic[T]):
    """A value that an actor works at; its index counts the values that were given to actors before."""

    index: int
    work: Work[Any]
    actor: ActorHandle[T]

    @property
    def references(self) -> list[ObjectRef[Any]]:
        return self.work if isinstance(self.work, list) else [self.work]


class ActorPool(Generic[T]):
    """Gives values to whichever of its actors is idle, one at a time to each; for one thread.

    An actor that has died leaves the pool when a result of it is asked for, which raises `ActorDiedError`. Values wait
    for an idle actor; when none is left in the pool, asking for a result raises.

    Args:
        actors: Handles of the actors, different ones.
    """

    def __init__(self, actors: Iterable[ActorHandle[T]]) -> None:
        self._idle = list(actors)
        self._waiting: deque[tuple[Callable[[ActorHandle[T], Any], Work[Any]], Any]] = deque()
        self._tasks: dict[int, _Task[T]] = {}
        self._given = 0
        #: Index of the next result in order: above those of all results that were taken.
        self._next = 0

    def map(self, fn: Callable[[ActorHandle[T], V], Work[R]], values: Iterable[V]) -> Iterator[R]:
        """Work off values, and return their results in the order of the values.

        The values are submitted at once. What was submitted before is forgotten: waiting values are not worked at any
        more, and the results of the others will not be returned.

        Args:
            fn: Makes a call of an actor and a value: ``lambda actor, value: actor.method.remote(value)``.
            values: The values.
        """
        return self._results(self.get_next, fn, values)

    def map_unordered(self, fn: Callable[[ActorHandle[T], V], Work[R]], values: Iterable[V]) -> Iterator[R]:
        """Work off values, and return their results as they come; otherwise like `map`."""
        return self._results(self.get_next_unordered, fn, values)

    def submit(self, fn: Callable[[ActorHandle[T], V], Work[Any]], value: V) -> None:
        """Give a value to an idle actor, or have it wait for one."""
        self._waiting.append((fn, value))
        self._start()

    def has_next(self) -> bool:
        """Tell whether an actor works at a value, or has a result that has not been returned."""
        return bool(self._tasks)

    def get_next(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """Return the next result in the order of submission.

        Args:
            timeout: Seconds to wait at most; None: as long as it takes.
            ignore_if_timedout: If it takes longer, forget that value; its actor counts as idle, although it may be
                busy with it for some time yet.

        Raises:
            StopIteration: There is none to come.
            RuntimeError: There is none to come, as values wait and the pool has no actor left.
            TimeoutError: It is not there in time.
            ValueError: `get_next_unordered` has returned a later one.
            Exception: What the call raised.
        """
        self._require_next()
        task = self._tasks.get(self._next)
        if task is None:
            raise ValueError("It is not allowed to call get_next() after get_next_unordered().")
        references = task.references
        ready = timeout is None or not wait(references, num_returns=len(references), timeout=timeout)[1]
        return self._settle(task, ready=ready, ignore=ignore_if_timedout)

    def get_next_unordered(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """Return the result that comes next; of several references a call's last one tells that it is there.

        Args:
            timeout: Seconds to wait at most; None: as long as it takes.
            ignore_if_timedout: If it takes longer, forget the oldest value; see `get_next`.

        Raises:
            StopIteration: There is none to come.
            RuntimeError: There is none to come, as values wait and the pool has no actor left.
            TimeoutError: None is there in time.
            Exception: What the call raised.
        """
        self._require_next()
        last = {task.references[-1]: task for task in self._tasks.values()}
        ready, _ = wait(list(last), timeout=timeout)
        task = last[ready[0]] if ready else next(iter(self._tasks.values()))
        return self._settle(task, ready=bool(ready), ignore=ignore_if_timedout)

    def has_free(self) -> bool:
        """Tell whether an actor is idle."""
        return bool(self._idle) and not self._waiting

    def pop_idle(self) -> ActorHandle[T] | None:
        """Take an idle actor out of the pool, or return None when all are busy."""
        return self._idle.pop() if self.has_free() else None

    def push(self, actor: ActorHandle[T]) -> None:
        """Put an actor into the pool; a value that waits is given to it.

        Raises:
            ValueError: It is in the pool already.
        """
        if actor in self._idle or any(task.actor == actor for task in self._tasks.values()):
            raise ValueError("Actor already belongs to current ActorPool")
        self._back(actor)

    def _results(
        self, following: Callable[[], R], fn: Callable[[ActorHandle[T], V], Work[R]], values: Iterable[V]
    ) -> Iterator[R]:
        self._forget()
        for value in values:
            self.submit(fn, value)

        def results() -> Iterator[R]:
            while self._tasks or self._waiting:
                yield following()

        return results()

    def _forget(self) -> None:
        self._waiting.clear()
        self._idle += [task.actor for task in self._tasks.values()]
        self._tasks.clear()
        self._next = self._given

    def _require_next(self) -> None:
        if not self._tasks and self._waiting:
            raise RuntimeError(
                f"{len(self._waiting)} values wait for an actor, but there is none left in this ActorPool: push() one"
            )
        if not self._tasks:
            raise StopIteration("No more results to get")

    def _settle(self, task: _Task[T], *, ready: bool, ignore: bool) -> Any:
        if not ready and not ignore:
            raise TimeoutError("Timed out waiting for result")
        del self._tasks[task.index]
        self._next = max(self._next, task.index + 1)
        if not ready:
            self._back(task.actor)
            raise TimeoutError(f"Timed out waiting for result. The task {task.work} has been ignored.")
        alive = True
        try:
            return get(task.work)
        except ActorDiedError as error:
            # A method may raise it, too: for another actor that it has called.
            alive = isinstance(error, RayTaskError)
            raise
        finally:
            if alive:
                self._back(task.actor)

    def _back(self, actor: ActorHandle[T]) -> None:
        self._idle.append(actor)
        self._start()

    def _start(self) -> None:
        while self._idle and self._waiting:
            fn, value = self._waiting.popleft()
            work = fn(self._idle[-1], value)
            if not isinstance(work, ObjectRef) and not (isinstance(work, list) and work):
                raise TypeError(
                    "the function of an ActorPool returns the reference of a call, or a list of references, not "
                    f"{work!r}: return actor.method.remote(value)"
                )
            self._tasks[self._given] = _Task(self._given, work, self._idle.pop())
            self._given += 1
