"""Servers that sentinels watch: a primary, its replica, and three sentinels, all on ports of this host."""

import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.support.waiting import wait_until

from callboard_broker._guard import Guard
from callboard_broker.embedded import find_server
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.wire import Reply, Wire, items, mapping

__all__ = ["Watched", "opens", "watched"]

_SERVICE = "main"
_SENTINELS = 3
_OURS, _THEIRS = "ours", "theirs"


class Watched:
    """A primary, its replica and their sentinels, with passwords for both kinds.

    Attributes:
        host: Where they are: an address that only this process uses, so that others cannot take their ports.
        pid: Of the first primary.
        ports: Of the servers, the first primary's first.
    """

    def __init__(self, folder: Path) -> None:
        self.host = _own_host()
        first, second, self._nobody, *self.sentinels = _free_ports(self.host, 3 + _SENTINELS)
        self.ports = [first, second]
        binary = str(find_server())
        self._guards = [
            _start([binary, *self._server(first)], folder),
            _start([binary, *self._server(second), "--replicaof", f"{self.host} {first}"], folder),
        ]
        self.pid = self._guards[0].server_pid
        for port in self.ports:
            wait_until(partial(opens, f"redis://:{_OURS}@{self.host}:{port}"), what=f"the server at {port}")
        for port in self.sentinels:
            config = folder / f"sentinel-{port}.conf"
            config.write_text(self._sentinel(port, first))
            self._guards.append(_start([binary, str(config), "--sentinel"], folder))
        wait_until(self._complete, what="the sentinels to know each other and the replica", timeout=30)

    @property
    def address(self) -> str:
        """Return what programs are told; the first sentinel named in it is none."""
        places = ",".join(f"{self.host}:{port}" for port in (self._nobody, *self.sentinels))
        return f"redis+sentinel://:{_OURS}@{places}/{_SERVICE}?sentinel_password={_THEIRS}"

    def primary(self) -> int:
        """Return the port of the primary, as the sentinels say."""
        return int(mapping(self._ask(self.sentinels[0], "MASTER"))["port"])

    def kill_primary(self) -> None:
        """Kill the first primary. The replica is made primary half a second later, or some more."""
        os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End all of them; harmless when repeated."""
        while self._guards:
            self._guards.pop().end()

    def _complete(self) -> bool:
        known = [(self._ask(port, "SENTINELS"), self._ask(port, "REPLICAS")) for port in self.sentinels]
        sentinels = all(len(items(others)) == _SENTINELS - 1 for others, _ in known)
        return sentinels and all(
            [mapping(replica).get("master-link-status") for replica in items(replicas)] == [b"ok"]
            for _, replicas in known
        )

    def _ask(self, port: int, what: str) -> Reply:
        try:
            with contextlib.closing(Wire.open(f"redis://:{_THEIRS}@{self.host}:{port}")) as wire:
                return wire.call("SENTINEL", what, _SERVICE)
        except BrokerUnreachableError:
            return []

    def _server(self, port: int) -> list[str]:
        options = {
            "port": f"{port}",
            "bind": self.host,
            "save": "",
            "requirepass": _OURS,
            "masterauth": _OURS,
            "replica-announce-ip": self.host,
            "repl-diskless-sync-delay": "0",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _sentinel(self, port: int, primary: int) -> str:
        return f"""
port {port}
bind {self.host}
requirepass {_THEIRS}
sentinel announce-ip {self.host}
sentinel sentinel-pass {_THEIRS}
sentinel monitor {_SERVICE} {self.host} {primary} 2
sentinel auth-pass {_SERVICE} {_OURS}
sentinel down-after-milliseconds {_SERVICE} 500
sentinel failover-timeout {_SERVICE} 3000
"""


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    """Run such servers."""
    with tempfile.TemporaryDirectory(prefix="callboard-") as folder:
        servers = Watched(Path(folder))
        try:
            yield servers
        finally:
            servers.stop()


def _start(command: list[str], folder: Path) -> Guard:
    place = Path(tempfile.mkdtemp(dir=folder))
    return Guard.start([*command, "--dir", str(place)], place, remove=True)


def opens(address: str) -> bool:
    """Tell whether a server answers at an address."""
    try:
        Wire.open(address).close()
    except BrokerUnreachableError:
        return False
    return True


def _own_host() -> str:
    pid = os.getpid()
    return f"127.{1 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"


def _free_ports(host: str, number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind((host, 0))
        return [int(each.getsockname()[1]) for each in sockets]
