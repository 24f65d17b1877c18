"""A broker: an address, a prefix and a cluster key that belong together, checked before anything is built on them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from callboard_broker import timing
from callboard_broker.addresses import without_password
from callboard_broker.envelope import TERMINATE, Signer, call_fields, seal_outcome
from callboard_broker.errors import (
    BrokerTooOldError,
    BrokerUnreachableError,
    ClusterKeyMismatchError,
    EvictionPolicyError,
)
from callboard_broker.ids import new_callboard_id
from callboard_broker.keys import Keyspace
from callboard_broker.wire import Wire, checked, mapping, text

if TYPE_CHECKING:
    from callboard_broker.clusterkey import ClusterKey
    from callboard_broker.envelope import Outcome
    from callboard_broker.wire import Reply

#: Version of what lies in Redis. Parties of different versions refuse each other.
FORMAT: Final = "1"
_OLDEST: Final = (7, 0)
#: Asks a server who it is; `server_id` reads the answer.
WHO_ARE_YOU: Final = ("INFO", "server", "replication")


@dataclass(frozen=True)
class Broker:
    """Where a callboard lives and what signs its entries.

    Args:
        address: As in `callboard_broker.addresses`.
        key: The cluster key.
        prefix: First part of every Redis key.
    """

    address: str = field(repr=False)
    key: ClusterKey
    prefix: str = "cb"

    @property
    def keys(self) -> Keyspace:
        """Return the maker of Redis keys."""
        return Keyspace(self.prefix)

    @property
    def version(self) -> bytes:
        """Return what a call's line begins with: the format, and which key signed it."""
        return f"{FORMAT}.{self.key.key_id}".encode()

    def signer(self, kind: str, target: str) -> Signer:
        """Return a signer for what is meant for one target."""
        return Signer(self.key, kind, self.prefix, target)

    def seal_outcome(self, caller: str, outcome: Outcome) -> bytes:
        """Return the head of an outcome for a caller; who tells one caller much keeps a signer instead."""
        return seal_outcome(self.signer("outcome", caller), outcome)

    def end_entry(self, actor: str) -> tuple[bytes, ...]:
        """Return the fields of the call, of nobody, that ends an actor once the calls before it are done."""
        return call_fields(
            self.signer("call", actor), self.version, b"-/0", 0, TERMINATE.encode(), 0, timing.latest_ms(), b"", b""
        )

    def connect(self, name: str, *, patience: float = 0.0, leaving: threading.Event | None = None) -> Wire:
        """Open a connection.

        Args:
            name: What ``CLIENT LIST`` shows: the role and whose it is.
            patience: Seconds for which to try again while nobody answers.
            leaving: Set when it is not to be tried again any more.

        Raises:
            BrokerUnreachableError: Nobody answers.
            BrokerRefusedError: The server refuses us.
        """
        leaving = leaving or threading.Event()

        def open_wire() -> Wire:
            return Wire.open(self.address, name=f"{self.prefix}:{name}")

        try:
            return open_wire()
        except BrokerUnreachableError:
            if not patience or leaving.is_set():
                raise
        from callboard_broker._patience import until_answered  # noqa: PLC0415 - mostly not needed

        return until_answered(open_wire, patience, leaving)

    def check(self, wire: Wire) -> str:
        """Check, and agree with all others on, what everything is built on; return the callboard's id.

        Raises:
            BrokerTooOldError: The server lacks commands that callboard needs.
            EvictionPolicyError: The server would throw away keys without a TTL when its memory is full.
            ClusterKeyMismatchError: The callboard under this prefix is signed with another key, or has another format.
        """
        shown = without_password(self.address)
        about = _information(text(wire.call("INFO", "everything")))
        version = about.get("redis_version", "0")
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            raise BrokerTooOldError(
                f"the server at {shown} is Redis {version}; callboard needs Redis 7.0 or Valkey 7.2"
            )
        policy = about.get("maxmemory_policy", "")
        if policy.startswith("allkeys-"):
            raise EvictionPolicyError(
                f"the server at {shown} has maxmemory-policy {policy}: it would throw calls away when its "
                "memory is full. "
                "Set it to noeviction: redis-cli CONFIG SET maxmemory-policy noeviction"
            )
        return self._agree(wire, shown)

    def _agree(self, wire: Wire, shown: str) -> str:
        cluster = self.keys.cluster
        for reply in wire.pipeline(
            [
                ("HSETNX", cluster, "key_id", self.key.key_id),
                ("HSETNX", cluster, "format", FORMAT),
                ("HSETNX", cluster, "id", new_callboard_id()),
            ]
        ):
            checked(reply)
        agreed = {name: value.decode() for name, value in mapping(wire.call("HGETALL", cluster)).items()}
        if agreed["format"] != FORMAT:
            raise ClusterKeyMismatchError(
                f"the callboard {self.prefix!r} at {shown} has format {agreed['format']}, this one {FORMAT}: "
                "use the same version of callboard everywhere, or another prefix"
            )
        if agreed["key_id"] != self.key.key_id:
            raise ClusterKeyMismatchError(
                f"the callboard {self.prefix!r} at {shown} is signed with the cluster key {agreed['key_id']}, but this "
                f"process has the key {self.key.key_id}. Copy the key file from a machine where its supervisor "
                "runs and "
                "name it by CALLBOARD_KEY_FILE; or use another prefix (CALLBOARD_PREFIX) for a callboard of your own"
            )
        return agreed["id"]


def server_id(reply: Reply) -> str:
    """Return what tells a server from every other, and from itself before it was restarted or was a replica.

    It may also change where nothing was lost.

    Raises:
        BrokerRefusedError: The server may not say.
    """
    about = _information(text(checked(reply)))
    return f"{about.get('run_id')} {about.get('master_replid')}"


def _information(reply: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in reply.splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}
