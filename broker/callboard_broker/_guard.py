"""The guard of an embedded server: ends the server when the program that started it ends, however that happens.

The program may be killed without a chance to clean up, so the server is not its child but that of a guard, a
small shell script. The guard reads from a pipe of which the program alone holds the other end. However the
program ends, the kernel closes that end, and the guard kills the server and removes its directory. The guard is
in a session of its own, where Ctrl-C at the program's terminal does not reach it.
"""

import contextlib
import os
import subprocess
from pathlib import Path

from callboard_broker.errors import EmbeddedServerFailedError

__all__ = ["Guard"]

#: Seconds until the guard must have ended: killing takes milliseconds, removing a large directory longer.
END_TIMEOUT = 10.0

# Arguments: remove|keep, the directory, then the server and its arguments.
# - A signal to the guard ends its read as the end of the pipe does: it never leaves the server behind.
# - Removal is repeated, because a child of the server that rewrites the append-only file may still write.
_SCRIPT = """
fate=$1 directory=$2
shift 2
trap : HUP INT TERM
"$@" </dev/null >>"$directory/redis.log" 2>&1 &
server=$!
echo "$server"
exec >/dev/null
read -r _
kill -KILL "$server"
wait "$server"
rm -f "$directory/redis.sock"
[ "$fate" = remove ] || exit 0
tries=0
until rm -rf "$directory" || [ "$tries" -ge 50 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
"""

# The program's ends of the pipes of all running guards. A forked child that kept one would keep a server alive.
_write_ends: set[int] = set()


def _drop_write_ends() -> None:
    for descriptor in _write_ends:
        os.close(descriptor)
    _write_ends.clear()


os.register_at_fork(after_in_child=_drop_write_ends)


class Guard:
    """Hold a server and its guard.

    Children forked from this process hold neither: they cannot keep the server alive, and must not call `end`.

    Attributes:
        server_pid: the server's process id; it stays the server's until the guard ends, also when the server died.
    """

    def __init__(self, process: subprocess.Popen[bytes], write_end: int, server_pid: int) -> None:
        self.server_pid = server_pid
        self._process = process
        self._write_end = write_end

    @classmethod
    def start(cls, command: list[str], directory: Path, *, remove: bool) -> "Guard":
        """Start a guard that starts the server; whether the server comes up is not waited for.

        Args:
            command: the server and its arguments.
            directory: where the server's output goes, to `redis.log`.
            remove: remove the directory when the server has ended.

        Raises:
            EmbeddedServerFailedError: the guard cannot be started.
        """
        read_end, write_end = os.pipe()
        _write_ends.add(write_end)
        arguments = ["remove" if remove else "keep", str(directory), *command]
        try:
            process = subprocess.Popen(  # noqa: S603  # an argument list: nothing in it becomes part of the script
                ["/bin/sh", "-c", _SCRIPT, "callboard-guard", *arguments],
                stdin=read_end,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=server_environment(),
            )
            assert process.stdout is not None
            with process.stdout as said:
                return cls(process, write_end, int(said.readline()))
        except BaseException as error:
            _close_write_end(write_end)
            if not isinstance(error, OSError | ValueError):
                raise
            raise EmbeddedServerFailedError(
                f"cannot start the guard of the embedded server, a script of /bin/sh: {error}; "
                "pass the address of a running server to init() instead"
            ) from error
        finally:
            os.close(read_end)

    def end(self) -> None:
        """Kill the server and wait until it, its guard, and what was to be removed are gone; call it once.

        Raises:
            EmbeddedServerFailedError: the guard has not ended within 10 s.
        """
        if self._process.poll() is None:
            # A line ends the guard's read even where a copy of the pipe escaped into another process.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._write_end, b"\n")
        _close_write_end(self._write_end)
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedServerFailedError(
                f"the guard (pid {self._process.pid}) of the embedded server (pid {self.server_pid}) runs "
                f"{END_TIMEOUT:g} s after it was told to end; look at both with ps, and kill them by their pids"
            ) from error


def server_environment() -> dict[str, str]:
    # The key is none of the server's business, and a locale that this machine lacks would stop it.
    kept = {name: value for name, value in os.environ.items() if name != "CALLBOARD_KEY"}
    return kept | {"LC_ALL": "C"}


def _close_write_end(descriptor: int) -> None:
    _write_ends.discard(descriptor)
    os.close(descriptor)
