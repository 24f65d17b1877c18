"""The driver of the demo: starts everything, kills some of it, and judges what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import callboard
from callboard import _session
from callboard.demo import actors, corpus
from callboard.demo.chaos import Chaos
from callboard.demo.feeder import Feeder
from callboard.demo.report import Report
from callboard.util import state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard import ActorHandle
    from callboard.demo.corpus import Summary

#: This process and two more.
_CLIENTS: Final = 3
_INDEXERS: Final = 4
_KILLS: Final = 10
#: Kills without which the demo has shown nothing.
_ENOUGH_KILLS: Final = 5
#: Seconds between two looks at the progress.
_LOOK: Final = 0.1
#: Seconds that the pool may take over its end; it needs some milliseconds.
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Result:
    """How the actors' part of the demo went.

    Attributes:
        summary: Of the index in the Catalogue.
        seconds: From the first file to the last.
        calls: Calls that all clients made.
        kills: Processes killed.
        restarts: Restarts that the callboard counted.
    """

    summary: Summary
    seconds: float
    calls: int
    kills: int
    restarts: int


def run() -> int:
    """Run the demo and return its exit code."""
    report = Report()
    borrowed = "CALLBOARD_ADDRESS" in os.environ
    with callboard.init(namespace=actors.NAMESPACE) as context:
        files = corpus.list_files()
        report.opening(len(files), str(corpus.library()), (_CLIENTS, _INDEXERS), own=not borrowed)
        pool, catalogue = actors.start(_INDEXERS)
        result = _index(report, (pool, catalogue), context.address, files)
        expected, seconds = _index_serially(report, files)
        report.figures(result, expected, seconds)
        report.samples(catalogue)
        _dismiss(pool)
        report.actors([*pool, catalogue])
        report.ways_to_look(_session.client().keys, context.address, catalogue, own=not borrowed)
        return report.verdict(result, expected, _ENOUGH_KILLS)


def _index(report: Report, cast: tuple[list[ActorHandle], ActorHandle], address: str, files: Sequence[str]) -> Result:
    pool, catalogue = cast
    chaos = Chaos(pool, len(files), _KILLS)
    feeder = Feeder(catalogue, pool, 0, _CLIENTS)
    begin = time.perf_counter()
    calls = done = 0
    with ExitStack() as stack:
        others = [stack.enter_context(_start_client(address, share)) for share in range(1, _CLIENTS)]
        progress = stack.enter_context(report.progress("indexed by actors", len(files)))
        while done < len(files):
            if feeder.busy:
                feeder.step(_LOOK)
            else:
                _rest(others)
            done = callboard.get(catalogue.progress.remote())
            calls += 1
            progress.update(done)
            if strike := chaos.strike_if_due(done):
                progress.say(
                    f"SIGKILL for the indexer in process {strike.pid}, {strike.words}, after {strike.done} files"
                )
        seconds = time.perf_counter() - begin
        calls += feeder.calls + sum(int(_last_word(other)) for other in others)
    # A restart may still be under way: a call of each waits for it.
    callboard.get([indexer.where.remote() for indexer in pool])
    summary = callboard.get(catalogue.summary.remote())
    return Result(summary, seconds, calls, len(chaos.strikes), chaos.restarts())


def _start_client(address: str, share: int) -> subprocess.Popen[str]:
    # The key of an embedded callboard is in no place where others would look for it.
    key = _session.client().broker.key.secret.hex()
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "callboard.demo.feeder", address, str(share), str(_CLIENTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "CALLBOARD_KEY": key},
        text=True,
    )


def _rest(others: Sequence[subprocess.Popen[str]]) -> None:
    """Let some time pass, with an eye on the other clients.

    Raises:
        RuntimeError: One has failed; it has said why on stderr.
    """
    for other in others:
        try:
            if other.wait(_LOOK / len(others)):
                raise RuntimeError(f"a client of the demo ended with exit code {other.returncode}")
        except subprocess.TimeoutExpired:
            continue


def _last_word(other: subprocess.Popen[str]) -> str:
    # Not communicate(), which would close the standard input that it ends with.
    assert other.stdout is not None
    said = other.stdout.read()
    if other.wait():
        raise RuntimeError(f"a client of the demo ended with exit code {other.returncode}")
    return said.strip()


def _index_serially(report: Report, files: Sequence[str]) -> tuple[Summary, float]:
    """Make the same index with nothing but a loop."""
    index = corpus.Index()
    begin = time.perf_counter()
    with report.progress("checked by a loop", len(files)) as progress:
        for file in files:
            index.add(file, corpus.count_words(corpus.read(file)))
            progress.update(index.size)
    return index.summary(), time.perf_counter() - begin


def _dismiss(pool: Sequence[ActorHandle]) -> None:
    """End the pool in two ways, for the table of actors: one is killed, the others leave after their last call."""
    callboard.kill(pool[0])
    for indexer in pool[1:]:
        indexer.__ray_terminate__.remote()
    pause = threading.Event()
    deadline = time.monotonic() + _PATIENCE
    while not all(_is_dead(indexer) for indexer in pool) and time.monotonic() < deadline:
        pause.wait(_LOOK)


def _is_dead(actor: ActorHandle) -> bool:
    found = state.get_actor(actor._actor_id)  # noqa: SLF001 - the name is Ray's own
    return found is None or found.state == "DEAD"
