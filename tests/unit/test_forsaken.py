"""I6: what callboards leave whose every process was killed goes after a day, and nothing that somebody holds."""

import os
import time
from pathlib import Path

import pytest

from callboard_broker.journal import Journal, journal_path
from callboard_broker.page import StatusPage, page_path
from callboard_broker.segments import Segments
from callboard_supervisor.duties import forsaken

ACTOR, TOKEN = "2" * 32, "3" * 16
ROOT = "4" * 32


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a directory of pages."""
    monkeypatch.setenv("CALLBOARD_SHM_DIR", str(tmp_path / "pages"))
    (tmp_path / "pages").mkdir(mode=0o700)
    return tmp_path / "pages"


def grow_old(directory: Path) -> None:
    """Let everything have been there for more than a day."""
    then = time.time() - forsaken.AGE - 60
    for path in [*directory.rglob("*")]:
        os.utime(path, (then, then))


def names(directory: Path) -> list[str]:
    """Name what is there."""
    return sorted(path.name for path in directory.iterdir())


def test_pages_of_the_dead_go_after_a_day(directory: Path) -> None:
    """With the journal, and what lies there half made; not before, and not while the worker lives."""
    path = page_path(ACTOR, TOKEN)
    page, journal = StatusPage.create(path), Journal.create(path)
    half = page_path("5" * 32, TOKEN).with_suffix(f".{TOKEN}.new")
    half.touch()
    alone = journal_path(page_path("6" * 24, "task"))
    alone.touch()
    (directory / "something else").touch()
    for _ in range(2):
        forsaken.sweep(())
        assert len(names(directory)) == 5
    grow_old(directory)
    forsaken.sweep(())
    assert names(directory) == sorted([path.name, journal_path(path).name, "something else"])
    page.close()
    journal.close()
    # It was seen alive a moment ago.
    forsaken.sweep(())
    assert path.exists()
    grow_old(directory)
    forsaken.sweep(())
    assert names(directory) == ["something else"]


def test_callboards_of_the_dead_go_after_a_day(directory: Path) -> None:
    """Not one of which anybody lives, nor one's own."""
    here = Segments.of(ROOT)
    assert here is not None
    here._least_left = 0
    living, dead = here.shelf("living"), here.shelf("dead")
    assert living is not None
    assert dead is not None
    assert here.write("dead", "1.a", [b"1" * 1000])
    dead.unlock()
    grow_old(directory)
    forsaken.sweep(())
    assert here.there("dead", "1.a")
    living.close()
    forsaken.sweep(())
    assert here.there("dead", "1.a")
    grow_old(directory)
    forsaken.sweep({ROOT})
    assert here.there("dead", "1.a")
    forsaken.sweep(())
    assert names(directory) == []
