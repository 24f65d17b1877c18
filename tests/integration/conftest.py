"""Fixtures: one callboard for all tests of a run, one client and namespace per test, and nothing left after each."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.support import leaks
from tests.support.mortals import Notes
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage, stage

import callboard


@pytest.fixture(scope="session")
def shared_stage() -> Iterator[Stage]:
    """Run one callboard for all tests that can share it."""
    with stage() as running:
        yield running


@pytest.fixture
def on_stage(shared_stage: Stage) -> Iterator[Stage]:
    """Lend the shared callboard to a test, which must leave nothing on it or in this process."""
    before = leaks.snapshot()
    pages = shared_stage.pages()
    yield shared_stage
    callboard.shutdown()
    shared_stage.check_nothing_left(pages)
    leaks.check(before)


@pytest.fixture
def ray(on_stage: Stage) -> ModuleType:
    """Join the shared callboard as a driver with a namespace of its own."""
    callboard.init(on_stage.address, _system_config={"heartbeat_timeout_ms": HEARTBEAT_TIMEOUT * 1000})
    return callboard


@pytest.fixture
def own_stage() -> Iterator[Stage]:
    """Join a callboard of this test's own, whose parties may end."""
    with stage() as own:
        callboard.init(own.address, _system_config={"heartbeat_timeout_ms": HEARTBEAT_TIMEOUT * 1000})
        try:
            yield own
        finally:
            callboard.shutdown()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    """Give the test a file for what its actors do."""
    return Notes(tmp_path / "notes")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """Give the test a gate, which is opened at its end."""
    path = tmp_path / "gate"
    yield path
    path.touch()
