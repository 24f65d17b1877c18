"""Larger programs for Ray run with only their import line changed, and print what they print on Ray."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.scenario import find, translated
from tests.support import leaks
from tests.support.stage import Stage

FOLDER = Path(__file__).parents[2] / "conformance" / "programs"
EXPECTED = {
    "parameter_server": [
        "workers: [1, 2, 3, 4]",
        "synchronous: [2.0, -1.0, 0.5, 3.0] converged: True",
        "steps: [150, 150, 150, 150]",
        "applied updates: 600 of 600",
        "clocks: [(0, 150), (1, 150), (2, 150), (3, 150)]",
        "staleness bound kept: True",
        "asynchronous: [2.0, -1.0, 0.5, 3.0] converged: True",
        "version: 600",
        "connected: False",
    ],
    "session_service": [
        "exit codes: [0, 0, 0]",
        "one service for all: True",
        "it is that one: True",
        "sessions: ['visitor-0', 'visitor-1', 'visitor-2', 'visitor-3']",
        "carts: {'item-0': 6, 'item-1': 6, 'item-2': 6, 'item-3': 6, 'item-4': 6}",
        "sums are right: True",
        "expired early: 0",
        "expired: 3",
        "left: ['visitor-0']",
        "refused: RayTaskError(SessionExpired) visitor-1",
        "unknown: True True",
        "summary: [('expired', 3), ('items', 121), ('opened', 4), ('sessions', 1)]",
        "found again: True ['visitor-0']",
        "taken: True",
        "named: ['sessions']",
        "closed",
        "exit codes: [0, 0, 0]",
        "another service: True True",
    ],
    "supervision_tree": [
        "members: 7 all alive: True",
        "results: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121]",
        "right: True",
        "every job was tried: True",
        "starts: 8 of which restarts: 4 crashes: 4",
        "restarted leaves: [True, True]",
        "a child without restarts: ['ActorDiedError', 'ActorDiedError']",
        "one more job: 10000",
        "another process: True",
        "too many crashes: ActorUnavailableError",
        "a killed branch takes its leaves: ['ActorDiedError', 'ActorDiedError']",
        "the others live: True",
        "the root crashes: ActorDiedError",
        "nothing is left: True",
    ],
}


@pytest.fixture(autouse=True)
def nothing_is_left(shared_stage: Stage) -> Iterator[None]:
    """Find what is left of a program on the callboard that several drivers share."""
    before = leaks.snapshot()
    pages = shared_stage.pages()
    yield
    shared_stage.check_nothing_left(pages)
    leaks.check(before)


def test_every_program_is_expected_to_print_something() -> None:
    """No program is left out of the test below."""
    assert [path.stem for path in find(FOLDER)] == sorted(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_program_prints_what_it_prints_on_ray(name: str, tmp_path: Path) -> None:
    """R5, O2, N4 and others together: `make conformance` shows that Ray prints the same."""
    program = tmp_path / f"{name}.py"
    program.write_text(translated((FOLDER / f"{name}.py").read_text(encoding="utf-8")), encoding="utf-8")
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, program], env=environ, capture_output=True, text=True, check=False, timeout=50
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == EXPECTED[name]
