"""A server that can be killed, started again on what it had written, and put back to what it had written before."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Final

from chaos.waiting import wait_until

from callboard_broker.embedded import find_server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Server"]

#: Seconds in which a server must answer; it may have a file to read again.
_START: Final = 20.0
_APPEND_ONLY: Final = "appendonlydir"


class Server:
    """A server on a unix socket.

    Args:
        place: Where its socket, its log and its data lie; not removed.
        fsync: Redis' `appendfsync`, or nothing for a server that keeps no file.
        environ: What it is told beside what this process is.
        addresses: Of this host, at which it is to be reached, too.
    """

    def __init__(
        self, place: Path, fsync: str, environ: Mapping[str, str] | None = None, addresses: Sequence[str] = ()
    ) -> None:
        self.socket = place / "redis.sock"
        self.address = f"unix://{self.socket}"
        self._place = place
        self._fsync = fsync
        self._environ = {**os.environ, **(environ or {})}
        self._addresses = addresses
        self._port = _free_port(addresses[0]) if addresses else 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers and has read its data."""
        options = {
            "port": str(self._port),
            "protected-mode": "no",
            "unixsocket": str(self.socket),
            "dir": str(self._place),
            "save": "",
            "appendonly": "yes" if self._fsync else "no",
            "appendfsync": self._fsync or "no",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            "logfile": str(self._place / "redis.log"),
        }
        command = [str(find_server()), *(word for name, value in options.items() for word in (f"--{name}", value))]
        if self._addresses:
            command += ["--bind", *self._addresses]
        # Python ignores SIGXFSZ and would restore it: a file that may not grow is to be an error, not a death.
        self._process = subprocess.Popen(command, env=self._environ, restore_signals=False)
        wait_until(self._answers, what="the server to answer", timeout=_START)

    def address_for(self, host: str) -> str:
        """Return its address for those who reach this host by an address of it."""
        return f"redis://{host}:{self._port}/0"

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it; harmless when it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()

    def keep_copy(self) -> None:
        """Keep a copy of its files as they are now; at most its last line is torn, and not read then."""
        copy = self._copy()
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._place / _APPEND_ONLY, copy)

    def put_back(self) -> None:
        """Have a server that has ended find the copy when it starts again."""
        shutil.rmtree(self._place / _APPEND_ONLY)
        shutil.copytree(self._copy(), self._place / _APPEND_ONLY)

    def limit_files(self) -> None:
        """Let its files not grow any more, as if the disk were full."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (1, hard))

    def free_files(self) -> None:
        """Let its files grow again."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (hard, hard))

    def _copy(self) -> Path:
        return self._place / "copy"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended; see {self._place / 'redis.log'}"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
