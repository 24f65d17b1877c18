"""A callboard of one's own: the embedded server and a supervisor, both ending with the program that started them."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Self

from callboard.exceptions import RaySystemError
from callboard_broker.clusterkey import write_key_file
from callboard_broker.embedded import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callboard_broker.clusterkey import ClusterKey

#: Seconds until a supervisor must have said that it is ready.
_START: Final = 30.0


class LocalCallboard:
    """An embedded server with one supervisor."""

    def __init__(self, server: EmbeddedServer, key: ClusterKey, supervisor: SupervisorProcess) -> None:
        self.server = server
        self.key = key
        self.supervisor = supervisor
        self.address = server.address

    @classmethod
    def start(cls, options: Mapping[str, str]) -> Self:
        """Start both and wait until they serve.

        Args:
            options: Command line options of the supervisor, without the dashes.

        Raises:
            RaySystemError: The supervisor did not start; the text has what it said.
            EmbeddedServerFailedError: The server did not start.
            EmbeddedServerMissingError: There is no server to start.
        """
        server = EmbeddedServer.start()
        try:
            key_file = server.directory / "cluster.key"
            key = write_key_file(key_file)
            chosen = {**options, "log-dir": str(server.directory / "logs")}
            supervisor = SupervisorProcess.start(server.address, chosen, {"CALLBOARD_KEY_FILE": str(key_file)})
        except BaseException:
            server.stop()
            raise
        return cls(server, key, supervisor)

    def stop(self) -> None:
        """End the supervisor with all its actors, then the server; harmless when repeated."""
        self.supervisor.stop()
        self.server.stop()


class SupervisorProcess:
    """A supervisor that ends with this process: it reads a pipe that the kernel closes whatever happens to us."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    def start(cls, address: str, options: Mapping[str, str], environ: Mapping[str, str]) -> Self:
        """Start a supervisor and wait until it serves.

        Raises:
            RaySystemError: It did not start.
        """
        ready, tell = os.pipe()
        arguments = [f"--{name}={value}" for name, value in options.items()]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "callboard_supervisor", "--tied", f"--notify-fd={tell}", *arguments],
                stdin=subprocess.PIPE,
                env={**os.environ, "CALLBOARD_ADDRESS": address, **environ},
                pass_fds=[tell],
                start_new_session=True,
            )
        finally:
            os.close(tell)
        with os.fdopen(ready, "rb") as said:
            if not select.select([said], [], [], _START)[0] or not said.readline():
                process.kill()
                process.wait()
                raise RaySystemError(
                    f"the supervisor did not start (exit code {process.returncode}); its last words are on stderr above"
                )
        return cls(process)

    def stop(self) -> None:
        """Let it end its actors and wait for it; harmless when repeated."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
