"""One process of this host, held so that no signal ever reaches another that got its pid later."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
from dataclasses import dataclass
from typing import Self

from callboard_broker.host import process_start_time

#: Flag of pidfd_send_signal (Linux 6.9): to the process group that the process leads or led. The kernel keeps the
#: pidfd's identity for as long as the group has members, so it is free of races even after the leader was reaped.
_TO_PROCESS_GROUP = 4


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: by an exit code, by a signal, or in a way that only its parent learned."""

    pid: int
    code: int | None = None
    signal: int | None = None

    def describe(self) -> str:
        """Say it in words for people."""
        if self.code is not None:
            return f"exit code {self.code}"
        if self.signal is None:
            return "exit code unknown: not a child of this supervisor"
        try:
            return f"signal {self.signal} ({signal.Signals(self.signal).name})"
        except ValueError:
            return f"signal {self.signal}"


class Process:
    """A process known by its pidfd. Whoever holds it closes it.

    Guarantees that all it does concerns the one process that was meant, however long that has been dead. Does not
    reap it: only its parent can.
    """

    __slots__ = ("_pidfd", "pid", "start_time")

    def __init__(self, pid: int, pidfd: int, start_time: int) -> None:
        self.pid = pid
        self.start_time = start_time
        self._pidfd = pidfd

    def __repr__(self) -> str:
        return f"<Process {self.pid} begun at {self.start_time}>"

    @classmethod
    def adopt(cls, pid: int, start_time: int) -> Self | None:
        """Take hold of a process that somebody else started, by pid and start time (clock ticks since boot).

        Returns None when that process is gone, even if its pid is in use again. It may be a zombie: ask `alive`.

        Raises:
            OSError: No file descriptor is left.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except (ProcessLookupError, ValueError):
            return None
        except OSError as error:
            # Linux says EINVAL for pids below 1, and ENOENT or EINVAL for a thread that is no process.
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise
        # Compared after opening: what is open cannot be replaced any more.
        if process_start_time(pid) != start_time:
            os.close(pidfd)
            return None
        return cls(pid, pidfd, start_time)

    def fileno(self) -> int:
        """Return the pidfd: readable as soon as the process is dead.

        Raises:
            ValueError: It is closed.
        """
        if self._pidfd < 0:
            raise ValueError(f"{self!r} is closed")
        return self._pidfd

    def alive(self) -> bool:
        """Say whether the process has not ended. A zombie has; a stopped process has not."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)

    def signal(self, number: int) -> None:
        """Send a signal. A process that is gone is no error.

        Raises:
            PermissionError: It belongs to another user.
        """
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fileno(), number)

    def kill_group(self) -> None:
        """SIGKILL the process, and every process in the group that it leads or led.

        Guarantees that no other group is hit, also when the leader died long ago. Does not wait for their end, and does
        not find processes that moved to a group of their own.

        Raises:
            PermissionError: They belong to another user.
        """
        try:
            signal.pidfd_send_signal(self.fileno(), signal.SIGKILL, None, _TO_PROCESS_GROUP)
        except ProcessLookupError:
            pass
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._kill_group_by_number()
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of the process. Closing twice is allowed."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _kill_group_by_number(self) -> None:
        # For kernels before 6.9. As long as the leader exists, if only as a zombie, its number means this group.
        if process_start_time(self.pid) == self.start_time:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


def ended_child(pid: int) -> Exit | None:
    """Say how a child of this process ended, without reaping it; None while it has not.

    Guarantees that the child's pid, and the number of its process group, stay taken until `reap`.

    Raises:
        ChildProcessError: This is no child, or it was reaped already.
    """
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    if found.si_code == os.CLD_EXITED:
        return Exit(pid, code=found.si_status)
    return Exit(pid, signal=found.si_status)


def kill_group_of(pid: int) -> None:
    """SIGKILL the process group that a process leads. The caller knows that the process was not reaped yet."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def reap(pid: int) -> None:
    """Take an ended child out of the process table. One that is gone already is no error."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
