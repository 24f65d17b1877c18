"""What a worker is told when it is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from callboard_broker import ids
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey


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
        heartbeat_timeout: Seconds.
    """

    broker: Broker
    node: str
    host: str
    actor: str
    token: str
    incarnation: int
    page: str
    heartbeat_timeout: float

    @classmethod
    def parse(cls, config: dict[str, object]) -> Self:
        """Read what the supervisor sent."""
        key = ClusterKey(bytes.fromhex(str(config["key"])))
        return cls(
            broker=Broker(str(config["address"]), key, str(config["prefix"])),
            node=str(config["node"]),
            host=str(config["host"]),
            actor=str(config["actor"]),
            token=str(config["token"]),
            incarnation=int(str(config["incarnation"])),
            page=str(config["page"]),
            heartbeat_timeout=float(str(config["heartbeat_timeout"])),
        )

    @property
    def client_id(self) -> str:
        """Return the id of this worker as a client of others."""
        return ids.worker_client_id(self.actor, self.token)
