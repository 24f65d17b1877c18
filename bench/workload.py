"""What is measured: a workload is prepared once per side, and measured once per round."""

from __future__ import annotations

import glob
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from bench.figures import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Metrics are named by their units. More is better where it is "per second", less is better elsewhere.
CALLS: Final = "calls/s"
#: The same at the same time without what it is about.
ALONE: Final = "alone calls/s"
ACTORS: Final = "actors/s"
P50: Final = "p50 ms"
P99: Final = "p99 ms"
MILLISECONDS: Final = "ms"
SECONDS: Final = "s"
BY_COMMAND: Final = "s, by the command line"
MEGABYTES: Final = "MB"
BYTES: Final = "bytes"
PERCENT: Final = "% of a core"

#: What one measurement found, by metric; the first is the main one.
Sample: TypeAlias = dict[str, float]
#: Measure for about so many seconds.
Measure: TypeAlias = Callable[[float], Sample]
#: Make what a workload needs on a side, and end it.
Prepare: TypeAlias = Callable[[Any], AbstractContextManager[Measure]]

#: Sides that speak Ray's API: Ray, callboard, and callboard over a server with an append-only file.
SPEAKERS: Final = ("ray", "callboard", "aof")
#: The same without Ray, where only callboard is asked.
OURS: Final = ("callboard",)


class OneActor(Protocol):
    """What sides offer that have one serial actor, and no API of Ray's."""

    def call(self, method: str, *arguments: object) -> Any:
        """Call once and return the result."""

    def pipeline(self, count: int) -> None:
        """Make many calls, and only then read their results."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to do, on several sides.

    Attributes:
        name: What it is called in commands and results.
        title: What it is called in tables.
        prepare: For sides that speak Ray's API: takes the module.
        speakers: Those that do it.
        others: How other sides do the same, by their names: each takes what its side has.
        busy: How many cores something else keeps busy meanwhile.
    """

    name: str
    title: str
    prepare: Prepare
    speakers: tuple[str, ...] = SPEAKERS
    others: Mapping[str, Prepare] = field(default_factory=dict)
    busy: int = 0

    @property
    def sides(self) -> tuple[str, ...]:
        """Return the sides that can do it."""
        return (*self.speakers, *self.others)

    def on(self, side: str) -> Prepare:
        """Return how a side does it."""
        return self.prepare if side in self.speakers else self.others[side]


def by_one_actor(prepare: Callable[[OneActor], AbstractContextManager[Measure]]) -> dict[str, Prepare]:
    """Return how the sides do it that have one serial actor, and no API of Ray's: all in the same way."""
    return dict.fromkeys(("floor", "dask", "xoscar"), prepare)


def one_by_one(trip: Callable[[], object], seconds: float) -> Sample:
    """Make trips one after the other, and time each."""
    clock = time.perf_counter
    times = []
    began = last = clock()
    while last - began < seconds:
        trip()
        now = clock()
        times.append((now - last) * 1000)
        last = now
    return {CALLS: len(times) / (last - began), P50: percentile(times, 50), P99: percentile(times, 99)}


def in_batches(batch: Callable[[], object], size: int, seconds: float) -> Sample:
    """Make batches of calls, one batch after the other."""
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        batch()
        count += size
    return {CALLS: count / took}


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for something that is not measured.

    Raises:
        TimeoutError: It did not happen in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        pause(0.005)


def pause(seconds: float) -> None:
    """Let time pass, where that is what is wanted."""
    time.sleep(seconds)  # noqa: TID251 - not a test: a measurement needs quiet, or an age, and there is no event for it


@contextmanager
def spinning(number: int) -> Iterator[None]:
    """Keep so many cores busy."""
    with ExitStack() as stack:
        for _ in range(number):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def gone(pid: int) -> bool:
    """Tell whether a process has ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a measurement looks often
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def proportional_set(pid: int) -> float:
    """Return the memory of a process in MB: its own, and its share of what it shares."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123 - beside `gone`
        found = next(line for line in file if line.startswith("Pss:"))
    return int(found.split()[1]) * 1024 / 1e6


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used; 0 once it is gone."""
    used = 0
    for thread in glob.iglob(f"/proc/{pid}/task/*/schedstat"):  # noqa: PTH207 - beside `gone`
        # The first is in nanoseconds; /proc/*/stat counts in hundredths of a second, too coarse for the idle.
        with suppress(FileNotFoundError, ProcessLookupError), open(thread, encoding="ascii") as file:  # noqa: PTH123
            used += int(file.read().split()[0])
    return used / 1e9
