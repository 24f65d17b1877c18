"""The benchmark's sides: one is measured, and all others stand still."""

from pathlib import Path

import psutil
from bench.side import Command
from bench.sides import SideProcess, environment
from bench.workload import CALLS
from tests.support.waiting import wait_until


def family() -> set[psutil.Process]:
    """Return the side's process, its server and its worker."""
    return set(psutil.Process().children(recursive=True))


def test_a_side_stands_still_while_another_is_measured(tmp_path: Path) -> None:
    """All processes of a side are stopped when it is not asked; then it goes on as if nothing had been."""
    before = family()
    side = SideProcess("floor", tmp_path / "log", environment())
    try:
        with side.awake():
            side.ask(Command("prepare", "sync/idle"), 60)
        ours = family() - before
        assert len(ours) >= 3
        wait_until(lambda: {each.status() for each in ours} == {psutil.STATUS_STOPPED}, what="all to be stopped")
        with side.awake():
            assert side.ask(Command("measure", seconds=0.05), 60)[CALLS] > 0
    finally:
        side.stop()
    assert not any(each.is_running() for each in ours)
