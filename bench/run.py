"""Measure callboard: ``python bench/run.py [--rounds N]``. Medians of several rounds; spreads are shown, not hidden."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time
from typing import TYPE_CHECKING, Any

import psutil

import callboard

if TYPE_CHECKING:
    from collections.abc import Callable


class Counter:
    """The smallest actor with state."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.value = 0

    def add(self) -> int:
        """Count."""
        self.value += 1
        return self.value

    def pid(self) -> int:
        """Return the process that is the actor."""
        return os.getpid()


def sync_calls(counter: Any) -> float:
    """Calls per second, one at a time."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < 1.0:
        callboard.get(counter.add.remote())
        count += 1
    return count / (time.perf_counter() - began)


def pipelined_calls(counter: Any) -> float:
    """Calls per second, 5,000 in flight."""
    began = time.perf_counter()
    callboard.get([counter.add.remote() for _ in range(5_000)])
    return 5_000 / (time.perf_counter() - began)


def creations(count: int = 50) -> float:
    """Actors per second, created together and each called once; handles are dropped afterwards."""
    actor_class = callboard.remote(Counter)
    began = time.perf_counter()
    actors = [actor_class.remote() for _ in range(count)]
    callboard.get([actor.add.remote() for actor in actors])
    return count / (time.perf_counter() - began)


def recovery() -> float:
    """Milliseconds from SIGKILL of a worker to the next result of its restarted actor."""
    counter = callboard.remote(max_restarts=1, max_task_retries=-1)(Counter).remote()
    pid = callboard.get(counter.pid.remote())
    # A first crash is restarted at once only if its process had lived for a while.
    time.sleep(1.1)  # noqa: TID251 - not a test: the incarnation must grow old
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    callboard.get(counter.add.remote())
    return (time.perf_counter() - began) * 1000


def idle_memory(count: int = 20) -> float:
    """Megabytes of unique memory per idle actor."""
    actors = [callboard.remote(Counter).remote() for _ in range(count)]
    pids = callboard.get([actor.pid.remote() for actor in actors])
    return statistics.median(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1e6


def main() -> None:
    """Run all measurements in turn, several rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    callboard.init(num_cpus=2)
    counter = callboard.remote(Counter).remote()
    callboard.get(counter.add.remote())
    measures: dict[str, tuple[str, Callable[[], float]]] = {
        "sync calls": ("/s", lambda: sync_calls(counter)),
        "pipelined calls": ("/s", lambda: pipelined_calls(counter)),
        "actors created": ("/s", creations),
        "SIGKILL to next result": ("ms", recovery),
        "unique memory per idle actor": ("MB", idle_memory),
    }
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, (_, measure) in measures.items():
            found[name].append(measure())
    for name, (unit, _) in measures.items():
        values = found[name]
        print(f"{name:30} {statistics.median(values):10,.1f} {unit:3} ({min(values):,.1f} to {max(values):,.1f})")
    callboard.shutdown()


if __name__ == "__main__":
    main()
