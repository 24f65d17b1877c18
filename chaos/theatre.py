"""Where a chaos run plays: a server, supervisors and callers of its own, and what must be left of them: nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import psutil
import redis
from chaos.clocks import Clock
from chaos.history import Kind, Pen
from chaos.host import Host
from chaos.link import Link
from chaos.node import Node
from chaos.roles import NAMESPACE, ROLES
from chaos.server import Server
from chaos.waiting import wait_until

from callboard_broker.clusterkey import write_key_file

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["Setting", "Theatre"]

#: Callers at a time.
_CALLERS: Final = 2
#: Seconds in which callers must have their last outcomes, and in which everything must be gone.
_LAST_OUTCOMES: Final = 75.0
_GONE: Final = 30.0
#: Seconds in which a new caller must have made its first call.
_BEGUN: Final = 20.0
#: Names the processes of a theatre: they inherit it.
_MARK: Final = "CALLBOARD_CHAOS"
_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class Setting:
    """What a theatre is like.

    Attributes:
        fsync: Redis' `appendfsync`; nothing for a server that keeps no file.
        nodes: Supervisors; each but the first believes that it is on a host of its own.
        proxied: Whether callers, and each supervisor with its workers, have a proxy before the server.
        heartbeat_timeout: Seconds without a heartbeat after which somebody counts as lost.
        apart: Whether each supervisor, with its workers, is in a network namespace of its own.
        clocks: Whether the server, callers, and each supervisor with its workers have a wall clock of their own.
    """

    fsync: str = ""
    nodes: int = 1
    proxied: bool = False
    heartbeat_timeout: float = 1.5
    apart: bool = False
    clocks: bool = False


class Theatre:
    """A callboard with callers that call.

    Attributes:
        history: The directory of the history.
        server: The server, and ``redis`` to speak to it.
        nodes: The supervisors.
        links: Proxies before the server, if there are some: that of callers, and that of each node.
        hosts: Network namespaces, if there are some: that of each node.
        clocks: Wall clocks, if there are some: those of the server, of callers, and of each node.
        chance: What is left to chance.
    """

    def __init__(self, setting: Setting, chance: random.Random) -> None:
        self.chance = chance
        self.place = Path(tempfile.mkdtemp(prefix="callboard-chaos-"))
        self.history = self.place / "history"
        (self.history / "wires").mkdir(parents=True)
        self.pen = Pen(self.history, "nemesis")
        self._pages = Path(tempfile.mkdtemp(prefix="cb-chaos-", dir="/dev/shm"))
        write_key_file(self.place / "cluster.key")
        self._stack = contextlib.ExitStack()
        self.hosts = [self._stack.enter_context(Host()) for _ in range(setting.nodes if setting.apart else 0)]
        names = ["server", "callers", *(f"node-{number}" for number in range(setting.nodes))]
        self.clocks = [Clock(self.place, name) for name in names if setting.clocks]
        of_server, of_callers, *of_nodes = [clock.environ for clock in self.clocks] or [{}] * len(names)
        self.server = Server(self.place, setting.fsync, of_server, [host.address for host in self.hosts])
        self._doors = [
            self.place / f"door-{number}.sock" for number in range(1 + setting.nodes if setting.proxied else 0)
        ]
        self.links: list[Link] = []
        self._environ = {
            "CALLBOARD_KEY_FILE": str(self.place / "cluster.key"),
            "CALLBOARD_ADDRESS": f"unix://{self._doors[0]}" if self._doors else self.server.address,
            "CALLBOARD_SHM_DIR": str(self._pages),
            "CALLBOARD_HEARTBEAT_TIMEOUT": str(setting.heartbeat_timeout),
            _MARK: self.place.name,
        }
        self.nodes = [self._node(number, clock) for number, clock in enumerate(of_nodes)]
        self._environ |= of_callers
        self._callers: dict[str, subprocess.Popen[bytes]] = {}
        self._called = 0

    def _node(self, number: int, clock: Mapping[str, str]) -> Node:
        address = self.server.address
        if self.hosts:
            address = self.server.address_for(self.hosts[number].address)
        elif self._doors:
            address = f"unix://{self._doors[1 + number]}"
        environ = {**self._environ, "CALLBOARD_ADDRESS": address, **clock}
        inside = self.hosts[number].command if self.hosts else ()
        return Node(self.place, environ, f"host {number}" if number else "", inside)

    def __enter__(self) -> Self:
        """Start everything, and let callers call."""
        try:
            self.server.start()
            self.redis = redis.Redis(unix_socket_path=str(self.server.socket))
            self.links = [Link(door, self.server.socket) for door in self._doors]
            for node in self.nodes:
                node.start()
            self._run("open")
            for _ in range(_CALLERS):
                self.admit_caller()
        except BaseException:
            self._clear_away()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever still runs."""
        self._clear_away()

    def admit_caller(self) -> None:
        """Let one more caller call, and return when it has made a call.

        Raises:
            TimeoutError: It does not come.
        """
        self._called += 1
        name = f"caller-{self._called}"
        self._callers[name] = self._begin("call", name)
        written = self.history / f"{name}.jsonl"
        wait_until(lambda: written.exists() and written.stat().st_size, what=f"{name} to call", timeout=_BEGUN)

    def expel_caller(self) -> str:
        """Kill a caller; return its name."""
        name = self.chance.choice(sorted(self._callers))
        process = self._callers.pop(name)
        process.kill()
        process.wait()
        self.pen.write(Kind.KILLED, caller=name)
        return name

    def callers(self) -> list[psutil.Process]:
        """Return the processes that call."""
        return [psutil.Process(process.pid) for process in self._callers.values() if process.poll() is None]

    def workers(self) -> list[psutil.Process]:
        """Return the processes that are actors, whoever looks after them."""
        found = []
        for process in self._everybody():
            # They end while they are looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == "Scribe":
                    found.append(process)
        return found

    def actors(self) -> dict[str, dict[str, str]]:
        """Return the records of the actors, by name."""
        found = {}
        for role in ROLES:
            actor = self._text(self.redis.get(f"cb:{{0}}:name:{NAMESPACE}:{role.name}"))
            stored = self.redis.hgetall(f"cb:{{0}}:actor:{actor}")
            assert isinstance(stored, dict)
            found[role.name] = {self._text(name): self._text(value) for name, value in stored.items()}
        return found

    def node_id(self, node: Node) -> str:
        """Return the name under which a supervisor has registered; empty when it has not."""
        for name in self.redis.smembers("cb:{meta}:nodes"):
            if self._text(self.redis.hget(f"cb:{{meta}}:node:{self._text(name)}", "pid")) == str(node.pid):
                return self._text(name)
        return ""

    def visit(self, errand: str) -> bool:
        """Let a program come, do something and go; tell whether it could."""
        return self._begin(errand).wait(_LAST_OUTCOMES) == 0

    def inboxes(self) -> list[str]:
        """Return the keys of the inboxes of callers."""
        callers = {str(process.pid) for process in self.callers()}
        names = [self._text(name) for name in self.redis.smembers("cb:{0}:clients")]
        pids = {name: self._text(self.redis.hget(f"cb:{{0}}:client:{name}", "pid")) for name in names}
        return sorted(f"cb:{{0}}:client:{name}:inbox" for name, pid in pids.items() if pid in callers)

    def forget_actor(self, actor: str) -> None:
        """Delete what is left of an actor whose record somebody has deleted or overwritten."""
        names = [key for key in self.redis.scan_iter("cb:{0}:name:*") if self._text(self.redis.get(key)) == actor]
        self.redis.delete(*names, *self.redis.scan_iter(f"cb:{{0}}:actor:{actor}*"))
        self.redis.srem("cb:{0}:actors", actor)
        for users in self.redis.scan_iter("cb:{0}:class:*:users"):
            self.redis.srem(users, f"a:{actor}")

    def revive(self, *but: Node) -> None:
        """Start supervisors that have ended, but for some, as whatever has them run on a host does."""
        for node in self.nodes:
            if node not in but and not node.runs:
                node.start()

    def restore(self) -> None:
        """Have everything there again that was there in the beginning: supervisors, actors, callers."""
        self.revive()
        self._run("open")
        for name, process in list(self._callers.items()):
            if process.poll() is not None:
                del self._callers[name]
                if process.returncode:
                    raise RuntimeError(f"{name} ended with the exit code {process.returncode}")
                self.admit_caller()

    def cut_connections(self) -> int:
        """Have the server close the connections of all others; return how many there were."""
        return int(self.redis.client_kill_filter(_type="normal", skipme=True))

    def last_call(self) -> None:
        """Tell the callers to stop, and wait until they have all their outcomes.

        Raises:
            TimeoutError: One of them does not end.
            RuntimeError: One of them has failed.
        """
        (self.history / "stop").touch()
        for name, process in self._callers.items():
            try:
                code = process.wait(_LAST_OUTCOMES)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"{name} has not ended {_LAST_OUTCOMES:g} s after it was told to") from None
            if code:
                raise RuntimeError(f"{name} ended with the exit code {code}; see {self.place}/supervisors.log")

    def leaks(self) -> list[str]:
        """End the actors and then the supervisors; return what is left that should not be."""
        self._run("close")
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self._keys() and not self.workers(), what="actors to go", timeout=_GONE)
        left = [f"key {key}" for key in self._keys()]
        left += [f"worker {process.pid}" for process in self.workers()]
        codes = [node.stop() for node in self.nodes if node.runs]
        left += [f"a supervisor that ended with {code}" for code in codes if code != 0]
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self._everybody(), what="processes to go", timeout=_GONE)
        left += [f"process {process.pid} {' '.join(process.cmdline())[:80]}" for process in self._everybody()]
        left += [f"page {page}" for page in self._pages.rglob("*") if page.is_file()]
        return left

    def forget(self) -> None:
        """Remove the history, and what else lies beside it."""
        shutil.rmtree(self.place)

    def _run(self, command: str) -> None:
        code = self._begin(command).wait(_LAST_OUTCOMES)
        if code:
            raise RuntimeError(f"chaos.client {command} ended with {code}; see {self.place}/supervisors.log")

    def _begin(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.place / "supervisors.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "chaos.client", str(self.history), *command],
                cwd=_ROOT,
                env={**os.environ, **self._environ},
                stdout=log,
                stderr=log,
            )

    def _everybody(self) -> list[psutil.Process]:
        """Find the processes of this theatre that are not ours to wait for: not the server, not callers."""
        found = []
        for process in psutil.process_iter():
            # Processes end while they are looked at; those of other users cannot be.
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == self.place.name and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _keys(self) -> list[str]:
        """List keys and entries that should not be there when nobody is."""
        found = []
        for key in sorted(self._text(key) for key in self.redis.scan_iter("cb:*", count=1000)):
            kind, *rest = key.removeprefix("cb:{0}:").split(":")
            if key.startswith("cb:{meta}") or kind in {"events", "dead"}:
                continue
            if kind in {"requests", "outbox"}:
                if self.redis.xlen(key):
                    found.append(f"{key} is not empty")
            elif not (kind == "actor" and len(rest) == 1 and self.redis.hget(key, "state") == b"DEAD"):
                found.append(key)
        return found

    def _clear_away(self) -> None:
        for process in self._everybody():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for caller in self._callers.values():
            caller.kill()
            caller.wait()
        for node in self.nodes:
            if node.runs:
                node.kill()
        for link in self.links:
            link.stop()
        self.server.stop()
        self._stack.close()
        self.pen.close()
        shutil.rmtree(self._pages, ignore_errors=True)

    @staticmethod
    def _text(value: object) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)
