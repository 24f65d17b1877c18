"""Processes held by pidfd, and the names of hosts."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_until

from callboard_broker import host
from callboard_broker.host import host_id, process_lives, process_start_time
from callboard_supervisor.process import Exit, Process, ended_child, reap


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[bytes], Process, Process]]:
    """A process that leads a group, and its child in that group; the leader ends when its input does."""
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 1000 & echo $!; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert leader.stdin
    assert leader.stdout
    held = [hold(leader.pid), hold(int(leader.stdout.readline()))]
    yield leader, held[0], held[1]
    for process in held:
        process.signal(signal.SIGKILL)
        process.close()
    leader.communicate()


def hold(pid: int) -> Process:
    """Hold a living process."""
    start_time = process_start_time(pid)
    assert start_time is not None
    process = Process.adopt(pid, start_time)
    assert process is not None
    return process


def test_exits_read_well() -> None:
    """The words name codes and signals, known or not."""
    assert Exit(1, code=3).describe() == "exit code 3"
    assert Exit(1, code=0).describe() == "exit code 0"
    assert Exit(1, signal=9).describe() == "signal 9 (SIGKILL)"
    assert Exit(1, signal=42).describe() == "signal 42"
    assert Exit(1).describe() == "exit code unknown: not a child of this supervisor"


def test_a_reused_pid_is_not_adopted() -> None:
    """A process with the right pid and another start time is somebody else."""
    start_time = process_start_time(os.getpid())
    assert start_time is not None
    assert Process.adopt(os.getpid(), start_time + 1) is None
    itself = Process.adopt(os.getpid(), start_time)
    assert itself is not None
    assert itself.alive()
    itself.close()


@pytest.mark.parametrize("pid", [-1, 0, 2**22 + 1])
def test_impossible_pids_are_nobody(pid: int) -> None:
    """Records may hold anything; no process is found by it."""
    assert Process.adopt(pid, 1) is None


def test_a_closed_process_cannot_be_asked() -> None:
    """It neither looks alive nor takes signals."""
    process = hold(os.getpid())
    process.close()
    process.close()
    with pytest.raises(ValueError, match="closed"):
        process.alive()
    with pytest.raises(ValueError, match="closed"):
        process.signal(0)


def test_the_group_dies(family: tuple[subprocess.Popen[bytes], Process, Process]) -> None:
    """One call kills a leader and its group; a second finds nobody and says nothing."""
    leader, process, child = family
    process.kill_group()
    assert leader.wait() == -signal.SIGKILL
    wait_until(lambda: not child.alive(), what="the end of the child")
    assert not process.alive()
    process.kill_group()


def test_the_group_dies_after_its_leader(
    family: tuple[subprocess.Popen[bytes], Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels before 6.9 reach the group by its number, but only while the leader still holds that number."""
    leader, process, child = family
    without_flags(monkeypatch)
    assert leader.stdin
    leader.stdin.close()
    leader.stdin = None
    wait_until(lambda: ended_child(leader.pid), what="the end of the leader")
    assert child.alive()
    process.kill_group()
    wait_until(lambda: not child.alive(), what="the end of the child")


def test_a_number_that_is_free_again_is_not_used(
    family: tuple[subprocess.Popen[bytes], Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On such a kernel, a group whose leader was reaped is left alone rather than guessed."""
    leader, process, child = family
    without_flags(monkeypatch)
    assert leader.stdin
    leader.stdin.close()
    leader.stdin = None
    leader.wait()
    process.kill_group()
    assert child.alive()


def without_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave like a kernel that does not know the flag for groups."""
    send = signal.pidfd_send_signal

    def old(pidfd: int, number: int, info: Any = None, flags: int = 0) -> None:
        if flags:
            raise OSError(errno.EINVAL, "Invalid argument")
        send(pidfd, number, info, flags)

    monkeypatch.setattr(signal, "pidfd_send_signal", old)


def test_looking_at_an_end_does_not_take_it() -> None:
    """An ended child stays in the process table until it is reaped; reaping twice is fine."""
    child = os.fork()
    if child == 0:
        os._exit(7)
    end = wait_until(lambda: ended_child(child), what="the end of the child")
    assert end == ended_child(child) == Exit(child, code=7)
    reap(child)
    reap(child)
    with pytest.raises(ChildProcessError):
        ended_child(child)


def test_start_times_survive_odd_names() -> None:
    """A command name with brackets and spaces does not shift the fields."""
    comm = Path("/proc/self/comm")
    name, start_time = comm.read_text(), process_start_time(os.getpid())
    try:
        comm.write_text("a) R 1 (b) 2")
        assert process_start_time(os.getpid()) == start_time
    finally:
        comm.write_text(name)


def test_nobody_has_no_start_time() -> None:
    """A pid that is free has no start time, and a child began after its parent."""
    child = subprocess.Popen(["sleep", "1000"])
    mine, later = process_start_time(os.getpid()), process_start_time(child.pid)
    child.kill()
    child.wait()
    assert mine is not None
    assert later is not None
    assert mine <= later
    assert process_start_time(child.pid) is None


def test_a_host_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes here agree on it; where there is no /proc, each process has its own."""
    code = "from callboard_broker.host import host_id; print(host_id())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == host_id()

    class Nowhere(type(Path())):  # type: ignore[misc]
        def read_text(self, *_: Any, **__: Any) -> str:
            raise FileNotFoundError(str(self))

    monkeypatch.setattr(host, "Path", Nowhere)
    names = {host.host_id.__wrapped__() for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("nowhere-") for name in names)


def test_a_process_lives_until_it_has_ended() -> None:
    """A stopped one does, a zombie does not, nor does one of another start time or a pid that nobody has."""
    child = subprocess.Popen(["sleep", "60"])
    start_time = process_start_time(child.pid) or 0
    assert process_lives(child.pid, start_time)
    assert not process_lives(child.pid, start_time + 1)
    os.kill(child.pid, signal.SIGSTOP)
    assert process_lives(child.pid, start_time)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_start_time(child.pid) == start_time
    assert not process_lives(child.pid, start_time)
    child.wait()
    assert not process_lives(child.pid, start_time)
