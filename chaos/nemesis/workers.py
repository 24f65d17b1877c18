"""Faults of workers: killed at named points, and stopped until they are the actor no longer."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import psutil
from chaos import cast
from chaos.history import Kind
from chaos.nemesis.fault import Fault
from chaos.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.nemesis.fault import Strike
    from chaos.theatre import Theatre

__all__ = ["KILLED", "STOPPED"]

#: Seconds in which somebody must trip over a wire.
_TRIPPED: Final = 10.0
#: Seconds in which a new process must appear after another was killed.
_BORN: Final = 5.0


def _wire(name: str, *, in_a_new_process: bool = False) -> Strike:
    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        wire = theatre.history / "wires" / name
        wire.touch()
        if in_a_new_process:
            _kill_one(theatre)
        try:
            wait_until(lambda: not wire.exists(), what=f"somebody to be killed {name}", timeout=_TRIPPED)
            hit = 1
        except TimeoutError:
            wire.unlink(missing_ok=True)
            hit = 0
        yield hit

    return strike


@contextlib.contextmanager
def _killed_at_random(theatre: Theatre) -> Iterator[int]:
    yield _kill_one(theatre)


@contextlib.contextmanager
def _killed_after_commit(theatre: Theatre) -> Iterator[int]:
    """Kill whoever has just answered: the caller has the outcome, and the worker has not read that it is settled."""
    seen = {path: path.stat().st_size for path in theatre.history.glob("caller-*.jsonl")}
    hit = 0
    deadline = time.monotonic() + _BORN
    while not hit and time.monotonic() < deadline:
        for path, size in seen.items():
            with path.open(encoding="utf-8") as file:
                file.seek(size)
                lines = [line for line in file.read().splitlines(keepends=True) if f'"{Kind.OK}"' in line]
            if lines and lines[-1].endswith("\n"):
                pid = int(lines[-1].partition('"incarnation": "')[2].partition("-")[0])
                hit = _kill(pid)
                break
    yield hit


@contextlib.contextmanager
def _killed_in_spawn(theatre: Theatre) -> Iterator[int]:
    """Kill a process that has just been forked, as soon as it can be seen."""
    before = {child.pid for child in _forked(theatre)}
    _kill_one(theatre)
    hit, deadline = 0, time.monotonic() + _BORN
    while not hit and time.monotonic() < deadline:
        hit = sum(_kill(child.pid) for child in _forked(theatre) if child.pid not in before)
    yield hit


@contextlib.contextmanager
def _idle_killed(theatre: Theatre) -> Iterator[int]:
    """Stop the callers until nothing is left to do, kill a worker, and let them go on."""
    callers = theatre.callers()
    for caller in callers:
        caller.suspend()
    try:
        keys = [f"cb:{{0}}:actor:{record['actor_id']}:mailbox" for record in theatre.actors().values()]
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not any(theatre.redis.xlen(key) for key in keys), what="quiet", timeout=_BORN)
        hit = _kill_one(theatre)
    finally:
        for caller in callers:
            caller.resume()
    yield hit


@contextlib.contextmanager
def _stopped(theatre: Theatre) -> Iterator[int]:
    workers = theatre.workers()
    chosen = theatre.chance.sample(workers, min(2, len(workers)))
    hit = 0
    for worker in chosen:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.suspend()
            hit += 1
    try:
        yield hit
    finally:
        for worker in chosen:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.resume()


def _forked(theatre: Theatre) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for node in theatre.nodes if (server := node.fork_server()) for child in server.children()]
    return []


def _kill_one(theatre: Theatre) -> int:
    workers = theatre.workers()
    return _kill(theatre.chance.choice(workers).pid) if workers else 0


def _kill(pid: int) -> int:
    try:
        psutil.Process(pid).kill()
    except psutil.NoSuchProcess:
        return 0
    return 1


KILLED: Final = (
    Fault("killed at random", _killed_at_random),
    Fault("killed idle", _idle_killed),
    Fault(f"killed {cast.AFTER_CONSTRUCTOR}", _wire(cast.AFTER_CONSTRUCTOR, in_a_new_process=True)),
    Fault(f"killed {cast.AFTER_READ}", _wire(cast.AFTER_READ)),
    Fault(f"killed {cast.IN_USER_CODE}", _wire(cast.IN_USER_CODE)),
    Fault(f"killed {cast.BEFORE_COMMIT}", _wire(cast.BEFORE_COMMIT)),
    Fault("killed after commit", _killed_after_commit),
    Fault(f"killed {cast.IN_CONSTRUCTOR}", _wire(cast.IN_CONSTRUCTOR, in_a_new_process=True)),
    Fault("killed in spawn", _killed_in_spawn),
)
STOPPED: Final = (Fault("worker stopped", _stopped, (0.1, 3.0)),)
