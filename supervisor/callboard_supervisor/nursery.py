"""The nursery: the supervisor's side of the fork server, where workers come from and where their deaths are told."""

from __future__ import annotations

import collections
import ctypes
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from callboard_supervisor.process import Exit, Process, ended_child, kill_group_of, reap

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

#: Bytes of the longest message, as in the fork server.
_MESSAGE_SIZE = 64 * 1024
#: Seconds that a fork server without a supervisor may take to end; it needs about a millisecond.
_PATIENCE = 5.0
#: From linux/prctl.h.
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Spawned:
    """A worker runs. Whoever gets this closes the process handle."""

    request: int
    process: Process


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """A request brought no worker."""

    request: int
    error: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker has ended; its process group was killed."""

    exit: Exit


@dataclass(frozen=True, slots=True)
class NurseryDied:
    """The fork server has ended. Its workers live on; the unanswered requests brought none."""

    exit: Exit
    unanswered: tuple[int, ...]


Event = Spawned | SpawnFailed | Exited | NurseryDied


def become_subreaper() -> None:
    """Make orphaned descendants children of this process, for the rest of its life.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Nursery:
    """Have workers forked, and hear of their ends.

    Guarantees that each request is answered by Spawned or SpawnFailed, or named by NurseryDied, and that each
    worker's end is told once, by `receive` or by `reap_orphans`. Does not restart the fork server by itself. For one
    thread only.
    """

    def __init__(self) -> None:
        self._command: list[str] = []
        self._environ: Mapping[str, str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._requests = 0
        self._unanswered: set[int] = set()
        self._unsent: collections.deque[bytes] = collections.deque()
        self._workers: set[int] = set()

    def start(self, entry: str, preload: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> None:
        """Start the fork server, and make this process a subreaper. Does not wait until it is ready.

        Args:
            entry: The function of most workers, as "module:name". Problems with it show when a worker is wanted.
            preload: Modules that the workers shall find imported.
            environ: Environment of the fork server and its workers; by default this process's.

        Raises:
            OSError: No process can be started.
        """
        become_subreaper()
        self._command = [entry, *preload]
        self._environ = environ
        self.restart()

    def restart(self) -> None:
        """Start the fork server again, after NurseryDied or to end its use. `fileno` changes; living workers stay.

        Raises:
            OSError: No process can be started.
        """
        self.stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            server = [sys.executable, "-m", "callboard_supervisor.forkserver", str(theirs.fileno())]
            try:
                # A session of its own: what a terminal sends to the supervisor's job is not meant for the workers.
                self._server = subprocess.Popen(  # noqa: S603 - our own module
                    server + self._command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=self._environ,
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        self._channel = ours

    def spawn(self, config: dict[str, Any], stdout: Path, stderr: Path, *, name: str = "", entry: str = "") -> int:
        """Ask for a worker and return the number of the request; `receive` brings the answer. Never blocks.

        Args:
            config: What the entry is called with; anything that JSON can say.
            stdout: File to append its output to; its directory exists.
            stderr: The same for its errors; may be the same file.
            name: Name of the process in ps and top, cut at 15 bytes; ``callboard`` when empty.
            entry: Its function, when it is not that of most workers.

        Raises:
            RuntimeError: There is no fork server.
            ValueError: The config is too long.
        """
        if self._channel is None:
            raise RuntimeError("the fork server does not run")
        self._requests += 1
        request = {
            "spawn": self._requests,
            "entry": entry or self._command[0],
            "config": config,
            "stdout": str(stdout),
            "stderr": str(stderr),
            "name": name or "callboard",
        }
        message = json.dumps(request).encode()
        if len(message) > _MESSAGE_SIZE:
            raise ValueError(f"a worker's config may have {_MESSAGE_SIZE} bytes at most, this one makes {len(message)}")
        self._unanswered.add(self._requests)
        self._unsent.append(message)
        self._send_requests()
        return self._requests

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when `receive` has something to tell.

        Raises:
            RuntimeError: There is no fork server.
        """
        if self._channel is None:
            raise RuntimeError("the fork server does not run")
        return self._channel.fileno()

    def receive(self) -> list[Event]:
        """Return what has happened since the last time, in order. Never waits for workers.

        After NurseryDied there is no descriptor until `restart`; call `reap_orphans`, as exits may lie there now.
        """
        events: list[Event] = []
        while self._channel is not None:
            try:
                message, fds, _, _ = socket.recv_fds(self._channel, _MESSAGE_SIZE, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except ConnectionResetError:
                # Said once, before messages that still lie in the buffer: only the end of them is the end.
                continue
            if message:
                events += self._read(json.loads(message), fds)
            else:
                events.append(self._bury())
        self._send_requests()
        return events

    def reap_orphans(self, spare: Container[int] = ()) -> list[Exited]:
        """Reap ended children that came to this process when their parent died, and return those that were workers.

        To be called after SIGCHLD and after NurseryDied. Guarantees never to block, and kills what workers left in
        their process groups. Unknown children (a worker's own daemons) are reaped silently.

        Args:
            spare: Pids of children that somebody else waits for, such as a subprocess.Popen.
        """
        children = _children()
        # Looked at afterwards: while the fork server lived, these were none of its workers. If it has died, what it
        # still had to say comes first, and `receive` reads that.
        if self._server is not None and ended_child(self._server.pid) is not None:
            return []
        ended = []
        for pid in children:
            if pid in spare or (self._server is not None and pid == self._server.pid):
                continue
            try:
                end = ended_child(pid)
            except ChildProcessError:
                continue
            if end is None:
                continue
            if pid in self._workers:
                kill_group_of(pid)
                self._workers.discard(pid)
                ended.append(Exited(end))
            reap(pid)
        return ended

    def stop(self) -> None:
        """End the fork server, and leave its workers alone. What it had not told yet is forgotten; twice is allowed."""
        if self._channel is not None:
            self._bury()

    def _send_requests(self) -> None:
        """Send what the socket takes. The rest goes with a later answer: while the socket is full, answers are due."""
        while self._unsent and self._channel is not None:
            try:
                self._channel.send(self._unsent[0])
            except BlockingIOError:
                return
            except ConnectionError:
                # The same news is on its way to `receive`.
                return
            self._unsent.popleft()

    def _read(self, message: dict[str, Any], fds: Sequence[int]) -> list[Event]:
        if "exited" in message:
            pid = message["exited"]
            if pid not in self._workers:
                return []
            self._workers.discard(pid)
            return [Exited(Exit(pid, message["code"], message["signal"]))]
        if "failed" in message:
            self._unanswered.discard(message["failed"])
            return [SpawnFailed(message["failed"], message["error"])]
        request, pid = message["spawned"], message["pid"]
        self._unanswered.discard(request)
        if not fds:
            # The kernel dropped the pidfd as this process can open no more: such a worker could not be watched.
            # Not compared by start time, as that opens a file; pids are not reused within the moment of the message.
            kill_group_of(pid)
            return [SpawnFailed(request, "the supervisor has no file descriptor left")]
        self._workers.add(pid)
        return [Spawned(request, Process(pid, fds[0], message["start_time"]))]

    def _bury(self) -> NurseryDied:
        assert self._channel is not None
        assert self._server is not None
        self._channel.close()
        try:
            status = self._server.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            status = self._server.wait()
        end = Exit(self._server.pid, code=status) if status >= 0 else Exit(self._server.pid, signal=-status)
        unanswered = tuple(sorted(self._unanswered))
        self._channel = self._server = None
        self._unanswered.clear()
        self._unsent.clear()
        return NurseryDied(end, unanswered)


def _children() -> list[int]:
    """List the children of this process, ended ones too."""
    try:
        return [
            int(pid)
            for thread in Path("/proc/self/task").iterdir()
            for pid in (thread / "children").read_bytes().split()
        ]
    except FileNotFoundError:
        # A kernel without CONFIG_PROC_CHILDREN. Looking through all processes costs 15 us for each.
        return [child.pid for child in psutil.Process().children()]
