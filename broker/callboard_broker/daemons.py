"""Daemons: processes that outlive the program that starts them, and how another program finds and ends them later."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from callboard_broker.host import process_start_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# A process in between starts the daemon and exits. So the daemon is the child of nobody who must reap it, as a program
# that starts one and goes on for hours would have to. The shell could do it in less code, but would have the daemon and
# all its children ignore SIGINT.
_BETWEEN: Final = """
import os, subprocess, sys
with open(sys.argv[1], "ab") as log:
    kept = [int(descriptor) for descriptor in sys.argv[2].split()]
    daemon = subprocess.Popen(
        sys.argv[3:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=kept, start_new_session=True
    )
print(daemon.pid, flush=True)
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process of this host, by pid and start time, so that it can be written down.

    Guarantees that nothing here concerns another process that got the pid later.

    Attributes:
        pid: Its process id.
        start_time: Clock ticks since boot, see `host.process_start_time`.
    """

    pid: int
    start_time: int

    @classmethod
    def start(
        cls, command: Sequence[str], log: Path, *, environ: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> Self:
        """Start a process in a session of its own; whether it comes up is not waited for.

        Args:
            command: The program and its arguments. They are visible to every user of the host.
            log: File to which its output is appended.
            environ: Its environment.
            pass_fds: Descriptors that it inherits.

        Raises:
            OSError: It cannot be started; the text says why.
        """
        between = subprocess.run(  # noqa: S603 - an argument list: nothing in it becomes part of the program
            [sys.executable, "-I", "-S", "-c", _BETWEEN, str(log), " ".join(map(str, pass_fds)), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environ,
            pass_fds=pass_fds,
            text=True,
            check=False,
        )
        if between.returncode:
            last = between.stderr.strip().rpartition("\n")[2]
            raise OSError(f"cannot start {command[0]}: {last}")
        pid = int(between.stdout)
        # Without a start time it has ended and was reaped already: 0 is nobody's.
        return cls(pid, process_start_time(pid) or 0)

    @property
    def alive(self) -> bool:
        """Tell whether it runs; one that has ended and is not reaped does not."""
        with self._hold() as pidfd:
            return pidfd is not None

    def end(self, patience: float, *, number: int = signal.SIGTERM) -> bool:
        """Send it a signal and wait until it has ended.

        Args:
            patience: Seconds to wait at most.
            number: The signal.

        Returns:
            Whether it has ended; also true when it had before.
        """
        with self._hold() as pidfd:
            if pidfd is None:
                return True
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)
            return _ended(pidfd, patience)

    @contextlib.contextmanager
    def _hold(self) -> Iterator[int | None]:
        """Open a pidfd, or give None when the process has ended."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            # Compared after the opening: from then on the pidfd means the process that was looked at.
            same = process_start_time(self.pid) == self.start_time
            yield pidfd if same and not _ended(pidfd, 0.0) else None
        finally:
            os.close(pidfd)


def _ended(pidfd: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + patience
    # Rounded up, so that the last look comes after the deadline and not a fraction before it.
    while not (ended := poll.poll(max(0, int((deadline - time.monotonic()) * 1000) + 1) if patience else 0)):
        if time.monotonic() >= deadline:
            break
    return bool(ended)
