"""The state file of `callboard up`: what is written is found again, by its user only."""

import os
import stat
from pathlib import Path

import pytest

from callboard import _running
from callboard._running import Running, find_address, read_state, write_state
from callboard.exceptions import BrokerUnreachableError, RaySystemError
from callboard_broker.daemons import Daemon
from callboard_broker.host import process_start_time

ME = Daemon(os.getpid(), process_start_time(os.getpid()) or 0)
#: Our own pid, but that of a process that began at another time.
GONE = Daemon(os.getpid(), 1)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the test a state directory of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "callboard"
    folder.mkdir()
    return folder


def test_what_is_written_is_read(place: Path) -> None:
    """All fields come back; the file is for this user only, and no draft of it remains."""
    for running in (Running("unix:///a", "/data", ME), Running("unix:///b", "/data", ME, GONE)):
        write_state(running)
        assert read_state() == running
    assert stat.S_IMODE((place / "running.json").stat().st_mode) == 0o600
    assert [path.name for path in place.iterdir()] == ["running.json"]
    _running.clear_state()
    _running.clear_state()
    assert read_state() is None


def test_the_address_is_that_of_a_server_that_runs() -> None:
    """A server that has ended is told apart from none, and both errors say what to do."""
    with pytest.raises(BrokerUnreachableError, match=r"running\.json.*`callboard up`.*CALLBOARD_ADDRESS="):
        find_address()
    write_state(Running("unix:///a", "/data", ME))
    assert find_address() == "unix:///a"
    write_state(Running("unix:///a", "/data", GONE))
    with pytest.raises(BrokerUnreachableError, match=r"has ended.*kept in /data.*`callboard up`"):
        find_address()


def test_a_file_open_to_others_is_refused(place: Path) -> None:
    """Pids and addresses are taken from nobody else."""
    write_state(Running("unix:///a", "/data", ME))
    (place / "running.json").chmod(0o644)
    with pytest.raises(RaySystemError, match="has mode 0644: it must be this user's"):
        read_state()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"server": {"pid": 1}, "supervisor": null}', '{"server": 3'])
def test_a_damaged_file_is_named(place: Path, text: str) -> None:
    """The error says which file it is and how to get rid of it."""
    path = place / "running.json"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(RaySystemError, match=r"running\.json is damaged: .*then remove it"):
        read_state()


def test_only_one_changes_it_at_a_time() -> None:
    """A second `up` or `down` is refused while the first is at work, and welcome afterwards."""
    with _running.changing(), pytest.raises(RaySystemError, match="another `callboard up`"), _running.changing():
        pass
    with _running.changing():
        pass


def test_relative_state_homes_are_ignored() -> None:
    """As the XDG specification says."""
    assert _running.state_directory({"XDG_STATE_HOME": "x", "HOME": "/home/a"}) == Path(
        "/home/a/.local/state/callboard"
    )
