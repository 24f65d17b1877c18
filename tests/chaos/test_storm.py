"""Kill, stop and restart everything while callers call, then judge what they saw: I1, I2, I4 and I5.

Bounded in time; strikes are counted, and too few of them fail the test, as a storm that does not blow proves nothing.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage, stage

import callboard

ACTORS = 4
CALLERS = 3
CALLS = 600


class Ledger:
    """Writes down each call that starts, in a file, as its memory does not survive."""

    def __init__(self, path: str) -> None:
        self._path = path

    def note(self, caller: int, number: int) -> int:
        with Path(self._path).open("a", encoding="ascii") as file:
            file.write(f"{caller} {number}\n")
        threading.Event().wait(0.002)
        return number

    def pid(self) -> int:
        return os.getpid()


@pytest.fixture
def theatre() -> Iterator[Stage]:
    """Run a callboard for one storm."""
    with stage() as running:
        callboard.init(running.address, _system_config={"heartbeat_timeout_ms": HEARTBEAT_TIMEOUT * 1000})
        try:
            yield running
        finally:
            callboard.shutdown()


def run_callers(actors: list[Any], results: dict[tuple[int, int], list[Any]]) -> list[threading.Thread]:
    """Let each caller call each actor in a thread of its own, keeping some calls in flight."""

    def call(caller: int, index: int) -> None:
        refs = [actors[index].note.remote(caller, number) for number in range(CALLS)]
        results[caller, index] = [callboard.get(ref, timeout=120) for ref in refs]

    threads = [
        threading.Thread(target=call, args=(caller, index)) for caller in range(CALLERS) for index in range(len(actors))
    ]
    for thread in threads:
        thread.start()
    return threads


def judge(paths: list[Path], results: dict[tuple[int, int], list[Any]]) -> None:
    """Judge a history: every call has its own result, started in order, and repeats only in its old place."""
    for index, path in enumerate(paths):
        started = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
        for caller in range(CALLERS):
            assert results[caller, index] == list(range(CALLS)), "a call was lost or got another's result"
            numbers = [number for who, number in started if who == caller]
            latest = -1
            for number in numbers:
                assert number <= latest + 1, f"call {number} of caller {caller} overtook call {latest + 1}"
                latest = max(latest, number)
            assert latest == CALLS - 1


def strike_until(threads: list[threading.Thread], strike: Callable[[], None]) -> int:
    """Strike at random intervals until all callers are done; return how often."""
    strikes, pause = 0, threading.Event()
    while any(thread.is_alive() for thread in threads):
        pause.wait(random.uniform(0.1, 0.4))
        strike()
        strikes += 1
    for thread in threads:
        thread.join()
    return strikes


def workers(theatre: Stage) -> list[psutil.Process]:
    """Find the processes that are actors."""
    pids = theatre.workers()
    return [process for process in psutil.process_iter(["name"]) if process.pid in pids and process.name() == "Ledger"]


def storm(theatre: Stage, tmp_path: Path, strike: Callable[[], None], least: int) -> None:
    """Run callers in a storm, and judge."""
    paths = [tmp_path / f"ledger-{index}" for index in range(ACTORS)]
    maker = callboard.remote(max_restarts=-1, max_task_retries=-1)(Ledger)
    actors: list[callboard.ActorHandle] = [maker.remote(str(path)) for path in paths]
    callboard.get([actor.pid.remote() for actor in actors], timeout=30)
    results: dict[tuple[int, int], list[Any]] = {}
    strikes = strike_until(run_callers(actors, results), strike)
    assert strikes >= least, "the storm hardly blew"
    judge(paths, results)
    del theatre


@pytest.mark.timeout(180)
def test_workers_are_killed(theatre: Stage, tmp_path: Path) -> None:
    """SIGKILL of a random worker, over and over."""

    def strike() -> None:
        chosen = workers(theatre)
        for process in random.sample(chosen, k=min(1, len(chosen))):
            process.kill()

    storm(theatre, tmp_path, strike, least=5)


@pytest.mark.timeout(180)
def test_workers_are_stopped_and_continued(theatre: Stage, tmp_path: Path) -> None:
    """SIGSTOP is not death: nothing is restarted, nothing is lost."""

    def strike() -> None:
        chosen = workers(theatre)
        for process in random.sample(chosen, k=min(1, len(chosen))):
            process.suspend()
            threading.Event().wait(0.2)
            process.resume()

    storm(theatre, tmp_path, strike, least=3)


@pytest.mark.timeout(180)
def test_supervisors_are_killed(theatre: Stage, tmp_path: Path) -> None:
    """SIGKILL of the supervisor and of workers; another supervisor takes over each time."""
    environ = {**os.environ, "CALLBOARD_ADDRESS": theatre.address}
    command = [
        sys.executable, "-m", "callboard_supervisor", f"--log-dir={theatre.log_dir}", "--num-cpus=8",
        f"--heartbeat-timeout={HEARTBEAT_TIMEOUT}",
    ]  # fmt: skip
    running = [subprocess.Popen(command, env=environ)]

    def strike() -> None:
        running.append(subprocess.Popen(command, env=environ))
        threading.Event().wait(1.0)
        running[-2].kill()
        running[-2].wait()

    try:
        storm(theatre, tmp_path, strike, least=2)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@pytest.mark.timeout(180)
def test_connections_are_cut(theatre: Stage, tmp_path: Path) -> None:
    """CLIENT KILL of every connection, over and over: no caller and no worker notices more than a delay."""

    def strike() -> None:
        theatre.wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    storm(theatre, tmp_path, strike, least=3)


@pytest.mark.timeout(180)
def test_the_script_cache_is_flushed(theatre: Stage, tmp_path: Path) -> None:
    """SCRIPT FLUSH is invisible."""

    def strike() -> None:
        theatre.wire.call("SCRIPT", "FLUSH")

    storm(theatre, tmp_path, strike, least=3)


def test_nothing_is_left_after_a_storm(theatre: Stage, tmp_path: Path) -> None:
    """Killed workers leave no keys, pages or processes (I6)."""
    pages = theatre.pages()
    maker = callboard.remote(max_restarts=-1, max_task_retries=-1)(Ledger)
    actor: callboard.ActorHandle = maker.remote(str(tmp_path / "ledger"))
    pid = callboard.get(actor.pid.remote(), timeout=10)
    os.kill(pid, signal.SIGKILL)
    assert callboard.get(actor.pid.remote(), timeout=10) != pid
    del actor
    callboard.shutdown()
    theatre.check_nothing_left(pages)
