"""A caller of a chaos run: ``python -m chaos.client DIRECTORY COMMAND...``.

It keeps some calls to each actor in flight, from a thread per actor, until the file `stop` appears, and writes down
what it asked for and what it was told.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chaos.cast import Mayfly, Scribe, Snare
from chaos.history import Kind, Pen
from chaos.roles import NAMESPACE, ROLES, Role

import callboard as ray
from callboard_broker.errors import ClientGoneError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Calls to one actor in flight at most.
_WINDOW: Final = 8
#: Seconds between two calls to one actor.
_PACE: Final = 0.015
#: One call in so many carries something that may kill who reads it.
_SNARES: Final = 4
#: Actors that a visitor has at a time, and how often it has new ones.
_AT_ONCE: Final = 10
_ROUNDS: Final = 5
#: Bytes of a payload that nobody should send.
_HUGE: Final = 64 << 20
#: Seconds after which nobody waits for a call any more: it is lost.
_PATIENCE: Final = 70.0


class Caller:
    """One process that calls.

    Args:
        directory: Of the history.
        name: Of this caller.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._pen = Pen(directory, name)
        #: This process is no member any more, whoever decided that.
        self._gone = threading.Event()

    def run(self) -> None:
        """Call all actors until told to stop, or until no member any more, and wait for what is in flight."""
        threads = [threading.Thread(target=self._call, args=(role,)) for role in ROLES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, role: Role) -> None:
        actor: Any = None
        chance = random.Random(f"{self._name} {role.name}")
        flying: deque[tuple[int, Any]] = deque()
        for number in self._numbers():
            actor = actor or self._find(role)
            if actor is None:
                continue
            self._pen.write(Kind.INVOKE, caller=self._name, actor=role.name, call=number, told=role.terms)
            snares = [Snare()] if chance.randrange(_SNARES) == 0 else []
            lives = True
            try:
                flying.append((number, actor.note.remote(self._name, number, *snares)))
            except ray.exceptions.RayError as error:
                lives = self._failed(role, number, error)
            if len(flying) == _WINDOW:
                lives = self._await(role, *flying.popleft()) and lives
            if not lives:
                actor = None
        for number, ref in flying:
            self._await(role, number, ref)

    def _find(self, role: Role) -> Any:
        try:
            return ray.get_actor(role.name)
        except ValueError:
            return None
        except ray.exceptions.RayError as error:
            self._note_if_gone(error)
            return None

    def _numbers(self) -> Iterator[int]:
        stop, number = self._directory / "stop", 0
        while not stop.exists() and not self._gone.is_set():
            yield number
            number += 1
            self._gone.wait(_PACE)

    def _await(self, role: Role, number: int, ref: Any) -> bool:
        """Wait for an outcome, and write it down; tell whether the actor lives."""
        try:
            value, incarnation = ray.get(ref, timeout=_PATIENCE)
        except ray.exceptions.GetTimeoutError as error:
            self._pen.write(
                Kind.UNKNOWN, caller=self._name, actor=role.name, call=number, told=f"GetTimeoutError: {error}"
            )
        except ray.exceptions.RayError as error:
            return self._failed(role, number, error)
        else:
            self._pen.write(
                Kind.OK, caller=self._name, actor=role.name, call=number, incarnation=incarnation, told=value
            )

        return True

    def _failed(self, role: Role, number: int, error: Exception) -> bool:
        told = f"{type(error).__name__}: {error}"
        self._pen.write(Kind.FAIL, caller=self._name, actor=role.name, call=number, told=told)
        self._note_if_gone(error)
        return not isinstance(error, ray.exceptions.ActorDiedError)

    def _note_if_gone(self, error: Exception) -> None:
        if isinstance(error, ClientGoneError):
            self._gone.set()


def open_house(directory: Path) -> None:
    """Create the actors that are not there; they stay when this process ends."""
    for role in ROLES:
        maker = ray.remote(Scribe).options(
            name=role.name,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=role.retries,
            max_concurrency=role.concurrency,
        )
        actor: Any = maker.remote(str(directory), role.name)
        ray.get(actor.pid.remote(), timeout=_PATIENCE)


def close_house() -> None:
    """End the actors."""
    for role in ROLES:
        ray.kill(ray.get_actor(role.name))


def churn() -> None:
    """Create, call, pass on and drop actors, some at a time."""
    keeper: Any = ray.remote(num_cpus=0)(Mayfly).remote()
    for _ in range(_ROUNDS):
        mayflies: list[Any] = [ray.remote(num_cpus=0)(Mayfly).remote() for _ in range(_AT_ONCE)]
        passed = [keeper.echo.remote([mayfly]) for mayfly in mayflies]
        called = [mayfly.echo.remote(number) for number, mayfly in enumerate(mayflies)]
        del mayflies
        assert ray.get(called, timeout=_PATIENCE) == list(range(_AT_ONCE))
        del passed


def huge() -> None:
    """Have an actor return as much as it was given, which is much."""
    payload = bytes(_HUGE)
    mayfly: Any = ray.remote(num_cpus=0)(Mayfly).remote()
    assert ray.get(mayfly.echo.remote(payload), timeout=_PATIENCE) == payload


def abandon() -> None:
    """Leave while calls are open, of which some never end."""
    mayfly: Any = ray.remote(num_cpus=0)(Mayfly).remote()
    assert ray.get(mayfly.echo.remote(1), timeout=_PATIENCE) == 1
    for _ in range(_AT_ONCE):
        mayfly.dawdle.remote()


def main() -> None:
    """Do what the command line says."""
    directory, command, *rest = sys.argv[1:]
    ray.init(namespace=NAMESPACE, log_to_driver=False)
    match command:
        case "open":
            open_house(Path(directory))
        case "close":
            close_house()
        case "churn":
            churn()
        case "huge":
            huge()
        case "abandon":
            abandon()
        case "call":
            Caller(Path(directory), rest[0]).run()
    ray.shutdown()


if __name__ == "__main__":
    main()
