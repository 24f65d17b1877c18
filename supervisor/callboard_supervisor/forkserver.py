"""The fork server: one process with everything imported, which becomes a worker by forking.

    python -m callboard_supervisor.forkserver FD ENTRY [PRELOAD...]

FD is one end of a SOCK_SEQPACKET pair, ENTRY the function of most workers as "module:name", called with the request's
config; PRELOAD are modules to import beforehand. An entry that only some workers have is imported when it is first
asked for, as all workers from then on have its memory. One JSON object per message:

    supervisor -> fork server
        {"spawn": id, "entry": "module:name", "config": {...}, "stdout": path, "stderr": path, "name": process name}
    fork server -> supervisor
        {"spawned": id, "pid": n, "start_time": ticks}      with the pidfd attached (SCM_RIGHTS)
        {"failed": id, "error": text}
        {"exited": pid, "code": c or null, "signal": s or null}

A worker runs no code of its entry before its supervisor has been told of it, so no worker exists that nobody knows.
When the supervisor is gone, the fork server ends at once and its workers live on, for the next supervisor to adopt.
When the fork server is gone, they live on as children of the supervisor, which is a subreaper.

This process has one thread and no connection, for ever: a lock or a socket that is held during a fork is broken after
it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from callboard_broker.host import process_start_time
from callboard_supervisor.process import Exit, ended_child, kill_group_of, reap

Config = dict[str, Any]
Entry = Callable[[Config], object]

#: Bytes of the longest message: several fit into the buffer of a socket (208 KiB by default).
_MESSAGE_SIZE = 64 * 1024
#: Characters of an error text that are sent, counted from its end: there the exception is named.
_ERROR_LENGTH = 8000
#: Gaps of each size that are filled at most, and the bytes in a row after which there are none.
_MOST_GAPS = 20_000
_GAPLESS = 2 * 4096
#: What fills the gaps between this process's objects.
_GAPS: list[bytes] = []
#: Importing numpy starts OpenBLAS's threads, which no fork inherits. With one, a worker's first matmul takes 8
#: instead of 27 ms, and this process keeps its promise of one thread. Whoever sets the variable decides otherwise.
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


class _SupervisorGone(BaseException):
    """Nobody is left to serve. Not an error, so no `except Exception` may swallow it."""


class _Unannounced(BaseException):
    """This fork must not run, as its supervisor has never heard of it. Not an error either."""


class _Gate:
    """Hold a new worker back until its supervisor has been told of it.

    A pipe and not a look at getppid(): its end also shows that the fork server dies a moment after such a look.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reader)
        self._shut()

    def open(self) -> None:
        """Let the worker pass; one that is dead already is no error."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writer, b"!")

    def wait(self) -> None:
        """Wait, in the worker, until the gate opens.

        Raises:
            _Unannounced: It never will.
        """
        self._shut()
        if not os.read(self._reader, 1):
            raise _Unannounced

    def _shut(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1


class ForkServer:
    """Serve one supervisor.

    Args:
        channel: The end of the socket pair that the supervisor handed down.
        entries: What workers run, by name; or why it cannot be imported, which answers each request for it.
    """

    def __init__(self, channel: socket.socket, entries: dict[str, Entry | str]) -> None:
        self._channel = channel
        self._entries = entries
        self._children: dict[int, int] = {}
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        # One descriptor per worker is held here, and 1,024 is the usual soft limit. Workers get that back, for
        # select().
        self._limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._limits[1], self._limits[1]))

    def serve(self) -> tuple[Entry, Config]:
        """Fork workers and report their ends. Returns only in a worker, with its entry and its config.

        Raises:
            _SupervisorGone: In the fork server, when it has nobody to serve.
            _Unannounced: In a worker, when the fork server died before it could announce it.
        """
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._children:
                    self._report(fd)
                elif (worker := self._spawn(self._receive())) is not None:
                    return worker

    def _receive(self) -> dict[str, Any]:
        try:
            message = self._channel.recv(_MESSAGE_SIZE)
        except ConnectionError:
            message = b""
        if not message:
            raise _SupervisorGone
        request: dict[str, Any] = json.loads(message)
        return request

    def _send(self, reply: dict[str, Any], pidfds: Sequence[int] = ()) -> None:
        try:
            socket.send_fds(self._channel, [json.dumps(reply).encode()], pidfds)
        except ConnectionError:
            raise _SupervisorGone from None

    def _spawn(self, request: dict[str, Any]) -> tuple[Entry, Config] | None:
        """Fork. Returns None in the fork server, and entry and config in the worker."""
        entry = self._entry(request["entry"])
        if isinstance(entry, str):
            self._send({"failed": request["spawn"], "error": entry})
            return None
        with contextlib.ExitStack() as held:
            try:
                stdout, stderr = (
                    held.enter_context(Path(request[stream]).open("ab", buffering=0)) for stream in ("stdout", "stderr")
                )
                for stream in (stdout, stderr):
                    # Held by every process that inherits it: the files of the living are not removed for their age.
                    fcntl.flock(stream, fcntl.LOCK_SH)
                gate = held.enter_context(_Gate())
                _flush()
                pid = os.fork()
            except OSError as error:
                self._send({"failed": request["spawn"], "error": f"{type(error).__name__}: {error}"})
                return None
            if pid:
                self._announce(request["spawn"], pid, gate)
                return None
            self._disinherit()
            _become_worker(stdout.fileno(), stderr.fileno(), request["name"])
            gate.wait()
        return entry, request["config"]

    def _entry(self, name: str) -> Entry | str:
        if name not in self._entries:
            self._entries[name] = _load(name)
            _settle()
        return self._entries[name]

    def _announce(self, request: int, pid: int, gate: _Gate) -> None:
        """Tell the supervisor of a new worker, then let it run."""
        # The child does the same; whoever comes first, the group exists when the supervisor hears of it.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._send({"failed": request, "error": f"{type(error).__name__}: {error}"})
            return
        self._children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)
        self._send({"spawned": request, "pid": pid, "start_time": process_start_time(pid)}, [pidfd])
        gate.open()

    def _report(self, pidfd: int) -> None:
        """Tell how a worker ended."""
        pid = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        end = ended_child(pid) or Exit(pid)
        # The order matters. While the worker is a zombie, its number cannot be another group's; and if this process
        # dies before the report is sent, the supervisor inherits the zombie and with it the exit code.
        kill_group_of(pid)
        self._send({"exited": pid, "code": end.code, "signal": end.signal})
        reap(pid)
        os.close(pidfd)

    def _disinherit(self) -> None:
        """Give up, in a worker, what belongs to the fork server."""
        self._channel.close()
        for pidfd in self._children:
            os.close(pidfd)
        self._children.clear()
        resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)


def _become_worker(stdout: int, stderr: int, name: str) -> None:
    """Do what a fork needs beyond what `_settle` prepared; each line here costs every worker page faults."""
    os.setpgid(0, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    # Python reseeds its own random module after a fork; numpy's global generator would be the same in all workers.
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()
    # For ps and top; the kernel keeps 15 bytes. A file object would cost five times as much.
    comm = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    os.write(comm, name.encode()[:15])
    os.close(comm)


def _settle() -> None:
    """Bring this process into the state that its workers begin with, after all imports."""
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Ctrl-C in a terminal is for the program that owns it; workers end when their supervisor says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # For the workers, as it takes each of them half a millisecond.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    _forget_exit_handlers()
    # A worker writes to the pages of what the type cache names, as its own lookups take the place of ours.
    sys._clear_type_cache()  # noqa: SLF001 - there is no public name
    gc.collect()
    _GAPS.extend(_fill_gaps())
    # Frozen objects are not looked at by the collector: their pages stay shared with the workers (8 MB for each).
    gc.freeze()


def _fill_gaps() -> Iterator[bytes]:
    """Fill what the imports have left free between their objects, and return what fills it, to be kept.

    CPython puts small objects (up to 512 bytes, in steps of 16) where there is room among others of their size. In a
    worker that is a page shared with its siblings, of which it gets a copy of its own for each few objects. With the
    gaps filled, its objects lie side by side on new pages.
    """
    smallest = sys.getsizeof(b"")
    for size in range(-(-smallest // 16) * 16, 512 + 1, 16):
        last, in_row = 0, 0
        for _ in range(_MOST_GAPS):
            filler = bytes(size - smallest)
            yield filler
            in_row = in_row + size if id(filler) - last == size else 0
            if in_row > _GAPLESS:
                break
            last = id(filler)


def _forget_exit_handlers() -> None:
    """Drop what imported modules registered, but keep the standard library's own tidying up working in workers."""
    atexit._clear()  # noqa: SLF001 - multiprocessing does the same after its forks
    # finalize() registers itself once per process: without a reset, no TemporaryDirectory of a worker would be removed.
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]  # noqa: SLF001 - the same
    atexit.register(logging.shutdown)
    if (util := sys.modules.get("multiprocessing.util")) is not None:
        atexit.register(util._exit_function)  # noqa: SLF001 - joins child processes of the worker


def _flush() -> None:
    """Write out what is buffered; otherwise each worker would print it again."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    if _BLAS_THREADS in os.environ:
        yield
        return
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS_THREADS]


def _complain(text: str) -> None:
    sys.stderr.write(f"callboard fork server: {text}\n")


def _load(entry_name: str, preload: Sequence[str] = ()) -> Entry | str:
    """Import everything. Returns the entry, or why there is none."""
    with _one_blas_thread():
        for module in preload:
            try:
                importlib.import_module(module)
            except Exception:  # noqa: BLE001 - any module may fail in any way, and the workers may not need it
                _complain(f"cannot preload {module}:\n{traceback.format_exc()}")
        module, _, name = entry_name.partition(":")
        try:
            entry: Entry = getattr(importlib.import_module(module), name)
        except Exception:  # noqa: BLE001 - the same; it becomes the answer to each request
            return f"cannot import {entry_name}:\n{traceback.format_exc()}"[-_ERROR_LENGTH:]
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        _complain("a preloaded module started threads; workers do not have them, and locks they hold stay locked there")
    return entry


def main(arguments: Sequence[str]) -> None:
    """Be the fork server; in its forks, be a worker.

    Args:
        arguments: FD, ENTRY and modules to preload, see above.
    """
    descriptor, entry_name, *preload = arguments
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    entries = {entry_name: _load(entry_name, preload)}
    _settle()
    try:
        entry, config = ForkServer(channel, entries).serve()
    except (_SupervisorGone, _Unannounced):
        # At once: exit handlers of preloaded modules are for programs that did something.
        _flush()
        os._exit(0)
    entry(config)


if __name__ == "__main__":
    main(sys.argv[1:])
