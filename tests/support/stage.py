"""A callboard for tests: a server and a supervisor of their own, and what must be left of a test on them: nothing."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
from tests.support import leaks
from tests.support.waiting import wait_until

from callboard._local import SupervisorProcess
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import load_key, write_key_file
from callboard_broker.deaths import killed
from callboard_broker.embedded import EmbeddedServer
from callboard_broker.ids import new_token
from callboard_broker.operations import actors
from callboard_broker.page import page_directory
from callboard_broker.wire import Wire, integer, items, text

__all__ = ["Stage", "stage"]

#: Seconds without a heartbeat after which tests count somebody as lost.
HEARTBEAT_TIMEOUT = 1.5


class Server(Protocol):
    """What serves a stage; whoever needs to know more of it has started it."""

    pid: int

    @property
    def address(self) -> str:
        """Return what programs are told."""

    def stop(self) -> None:
        """End it; harmless when repeated."""


@dataclass
class Stage:
    """A server with a supervisor.

    Attributes:
        address: of the server.
        broker: with the key of this callboard.
        wire: a connection to look at it.
        log_dir: where the output of workers goes.
    """

    server: Server
    supervisor: SupervisorProcess
    broker: Broker
    wire: Wire
    log_dir: Path

    @property
    def address(self) -> str:
        return self.server.address

    def output(self, class_name: str) -> str:
        """Return what the actors of a class have written."""
        return "".join(path.read_text() for path in sorted(self.log_dir.glob(f"{class_name}-*")))

    def workers(self) -> set[int]:
        """Return the pids of all workers: children of the fork server, and their children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.supervisor.pid).children(recursive=True)
            return {process.pid for process in found if "forkserver" not in " ".join(_cmdline(process)[:4])} | {
                child.pid for process in found for child in _children(process)
            }
        return set()

    def leftovers(self) -> list[str]:
        """List keys and entries that should not be there when nobody is."""
        found = []
        for key in sorted(text(key) for key in items(self.wire.call("KEYS", "cb:*"))):
            parts = key.split(":")
            if parts[1] == "{meta}" or parts[2] in {"events", "dead"}:
                continue
            if parts[2] in {"requests", "outbox"}:
                if integer(self.wire.call("XLEN", key)):
                    found.append(f"{key} is not empty")
                continue
            if parts[2] == "actor" and len(parts) == 4 and self.wire.call("HGET", key, "state") == b"DEAD":
                continue
            found.append(key)
        return found + self._leftovers_of_rq()

    def _leftovers_of_rq(self) -> list[str]:
        """List RQ's keys, but those that go by themselves and the set of queues that names them."""
        keys = sorted(text(key) for key in items(self.wire.call("KEYS", "rq:*")))
        return [key for key in keys if key != "rq:queues" and integer(self.wire.call("TTL", key)) == -1]

    def pages(self) -> list[str]:
        """List status pages of workers, segments, and the directories that these are in."""
        return leaks.below(page_directory())

    def check_nothing_left(self, pages_before: list[str]) -> None:
        """Wait until actors, clients, keys, processes and pages of a test are gone."""

        def left() -> list[str]:
            # A node has a shelf as long as it lives, whenever it came.
            nodes = {text(node) for node in items(self.wire.call("SMEMBERS", self.broker.keys.nodes))}
            pages = [page for page in self.pages() if page not in pages_before and Path(page).name not in nodes]
            return self.leftovers() + [f"process {pid}" for pid in self.workers()] + pages

        last: list[str] = []

        def nothing() -> bool:
            last[:] = left()
            return not last

        try:
            wait_until(nothing, what="actors, clients, keys and processes to go", timeout=30)
        except AssertionError:
            self._clear()
            raise AssertionError("left behind: " + ", ".join(last)) from None

    def _clear(self) -> None:
        """End the actors that a test has left, so that the next ones do not suffer from it."""
        keys = self.broker.keys
        for actor in [text(member) for member in items(self.wire.call("SMEMBERS", keys.actors))]:
            self.wire.call(*actors.kill(keys, actor, new_token(), killed()))


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.Error:
        return []


@contextlib.contextmanager
def stage(server: Server | None = None, **options: str) -> Iterator[Stage]:
    """Run a callboard, on a server of its own unless one is given; options are those of the supervisor."""
    server = server or EmbeddedServer.start()
    with (
        tempfile.TemporaryDirectory(prefix="callboard-test-") as folder,
        # Its own, so that it does not see the workers of other runs on this machine.
        tempfile.TemporaryDirectory(prefix="cb-pages-", dir="/dev/shm") as pages,
        _environment(
            CALLBOARD_KEY=None,
            CALLBOARD_KEY_FILE=f"{folder}/cluster.key",
            CALLBOARD_ADDRESS=server.address,
            CALLBOARD_SHM_DIR=pages,
        ),
        contextlib.ExitStack() as stack,
    ):
        stack.callback(server.stop)
        write_key_file(Path(folder) / "cluster.key")
        broker = Broker(server.address, load_key())
        chosen = {
            "heartbeat-timeout": str(HEARTBEAT_TIMEOUT),
            "log-dir": folder,
            "idle-timeout": "1",
            "num-cpus": "8",
            **options,
        }
        supervisor = SupervisorProcess.start(server.address, chosen, {})
        stack.callback(supervisor.stop)
        wire = broker.connect("test")
        stack.callback(wire.close)
        yield Stage(server, supervisor, broker, wire, Path(folder))


@contextlib.contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    """Set environment variables, or unset those that are None, and restore them at the end."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
