"""A callboard whose server can be killed, and come back with what it had at some moment."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.stage import HEARTBEAT_TIMEOUT, Stage, stage

import callboard
from callboard_broker.embedded import EmbeddedServer
from callboard_broker.wire import Reply

__all__ = ["Forgetful", "forgetful"]


class Forgetful:
    """A stage, and the copy of its server's data.

    Attributes:
        stage: Where actors and clients are.
        server: The server that runs at present.
    """

    def __init__(self, stage: Stage, server: EmbeddedServer) -> None:
        self.stage = stage
        self.server = server
        self._copy = self.server.directory / "copy.rdb"

    def ask(self, *command: str | bytes) -> Reply:
        """Ask the present server."""
        with contextlib.closing(self.stage.broker.connect("test")) as wire:
            return wire.call(*command)

    def remember(self) -> None:
        """Copy the server's data."""
        self.ask("SAVE")
        shutil.copy(self.server.directory / "dump.rdb", self._copy)

    def forget(self) -> None:
        """Kill the server, and start it again with the data that was copied."""
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.stop()
        shutil.copy(self._copy, self.server.directory / "dump.rdb")
        self.server = EmbeddedServer.start(directory=self.server.directory)


@contextlib.contextmanager
def forgetful() -> Iterator[Forgetful]:
    """Run such a callboard, joined by this process."""
    with (
        tempfile.TemporaryDirectory(prefix="callboard-") as folder,
        stage(server := EmbeddedServer.start(directory=Path(folder))) as running,
    ):
        found = Forgetful(running, server)
        timeout = HEARTBEAT_TIMEOUT * 1000
        callboard.init(running.address, log_to_driver=False, _system_config={"heartbeat_timeout_ms": timeout})
        try:
            yield found
        finally:
            callboard.shutdown()
            running.supervisor.stop()
            found.server.stop()
