"""A supervisor of a chaos run, which can be killed, stopped and started again."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Node"]

#: Seconds until a supervisor must have said that it serves, and until it must have ended when it was told to.
_START: Final = 30.0
_STOP: Final = 30.0
#: Makes a supervisor and its workers believe that they are on another host.
_ELSEWHERE: Final = """
import runpy, sys
from callboard_broker import host
name = sys.argv.pop(1)
host.host_id = lambda: name
sys.argv[0] = "callboard_supervisor"
runpy.run_module("callboard_supervisor", run_name="__main__")
"""


class Node:
    """A place for a supervisor: one runs there at a time.

    Args:
        log_dir: Where the output of workers and of supervisors goes.
        environ: What its supervisors are told.
        host: On which other host it is to believe itself; nothing for this one.
        inside: What starts a program in the network namespace where it belongs; nothing for this one.
    """

    def __init__(self, log_dir: Path, environ: Mapping[str, str], host: str = "", inside: Sequence[str] = ()) -> None:
        self._log_dir = log_dir
        self._environ = environ
        self._host = host
        self._inside = inside
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the supervisor's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Tell whether a supervisor was started here and has not ended."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> int:
        """Start a supervisor, without waiting for it; return a descriptor that says when it serves."""
        ready, tell = os.pipe()
        module = ["-c", _ELSEWHERE, self._host] if self._host else ["-m", "callboard_supervisor"]
        options = [f"--notify-fd={tell}", f"--log-dir={self._log_dir}", "--num-cpus=64"]
        with (self._log_dir / "supervisors.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._inside, sys.executable, *module, *options],
                env={**os.environ, **self._environ},
                pass_fds=[tell],
                start_new_session=True,
                stderr=log,
            )
        os.close(tell)
        return ready

    def start(self) -> None:
        """Start a supervisor, and return when it serves.

        Raises:
            TimeoutError: It does not.
        """
        with os.fdopen(self.begin(), "rb") as said:
            if not select.select([said], [], [], _START)[0] or not said.readline():
                raise TimeoutError(f"the supervisor {self.pid} does not serve; see {self._log_dir}/supervisors.log")

    def kill(self) -> None:
        """Kill the supervisor by SIGKILL; its fork server and its workers live on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def everybody(self) -> list[psutil.Process]:
        """Return the supervisor and all processes under it."""
        try:
            supervisor = psutil.Process(self.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def fork_server(self) -> psutil.Process | None:
        """Return the supervisor's fork server, if it has one now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children():
                if "callboard_supervisor.forkserver" in child.cmdline():
                    return child
        return None

    def stop(self) -> int | None:
        """Have the supervisor end; return its exit code, or None when it had to be killed or had ended before."""
        if self._process is None or self._process.poll() is not None:
            return None
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            return self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
