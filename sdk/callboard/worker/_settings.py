"""What a worker is told when it is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from callboard_broker import ids
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.segments import Segments


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told by its supervisor: which incarnation of which actor it is.

    Attributes:
        broker: Where the callboard lives.
        node: Node that it runs on.
        host: Identity of the host.
        actor: Actor that it is.
        token: Random half of its incarnation.
        incarnation: Number of it, from 1.
        page: Path of its status page.
        segments: Those of the callboard on this host, if there are any.
        heartbeat_timeout: Seconds.
    """

    broker: Broker
    node: str
    host: str
    actor: str
    token: str
    incarnation: int
    page: str
    segments: Segments | None
    heartbeat_timeout: float

    @classmethod
    def parse(cls, config: dict[str, Any]) -> Self:
        """Read what the supervisor sent."""
        return cls(
            broker=_broker(config),
            node=str(config["node"]),
            host=str(config["host"]),
            actor=str(config["actor"]),
            token=str(config["token"]),
            incarnation=int(str(config["incarnation"])),
            page=str(config["page"]),
            segments=_segments(config),
            heartbeat_timeout=float(str(config["heartbeat_timeout"])),
        )

    @property
    def whose(self) -> str:
        """Return what segments are named by that are for it."""
        return self.actor

    @property
    def client_id(self) -> str:
        """Return the id of this worker as a client of others."""
        return ids.worker_client_id(self.actor, self.token)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What a worker for tasks is told by its supervisor.

    Attributes:
        broker: Where the callboard lives.
        node: Node that it runs on.
        host: Identity of the host.
        worker: Its id as a client.
        queue: Where its tasks wait.
        page: Path of its status page.
        segments: Those of the callboard on this host, if there are any.
        heartbeat_timeout: Seconds.
        idle_timeout: Seconds without a task after which it ends.
    """

    broker: Broker
    node: str
    host: str
    worker: str
    queue: str
    page: str
    segments: Segments | None
    heartbeat_timeout: float
    idle_timeout: float

    @classmethod
    def parse(cls, config: dict[str, Any]) -> Self:
        """Read what the supervisor sent."""
        return cls(
            broker=_broker(config),
            node=str(config["node"]),
            host=str(config["host"]),
            worker=str(config["worker"]),
            queue=str(config["queue"]),
            page=str(config["page"]),
            segments=_segments(config),
            heartbeat_timeout=float(config["heartbeat_timeout"]),
            idle_timeout=float(config["idle_timeout"]),
        )

    @property
    def whose(self) -> str:
        """Return what segments are named by that are for it."""
        return self.worker


def _segments(config: dict[str, Any]) -> Segments | None:
    root = str(config["segments"])
    return Segments(Path(root)) if root else None


def _broker(config: dict[str, Any]) -> Broker:
    key = ClusterKey(bytes.fromhex(str(config["key"])))
    return Broker(str(config["address"]), key, str(config["prefix"]))
