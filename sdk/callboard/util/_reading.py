"""Reading a callboard's records straight from Redis, in batches and within a time."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from callboard import _session
from callboard._running import find_address
from callboard.exceptions import RaySystemError
from callboard_broker.addresses import without_password
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.keys import Keyspace
from callboard_broker.records import ActorOutline, ActorRecord, ClientRecord, NodeRecord, State
from callboard_broker.wire import Wire, checked, entries, fields, items, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from callboard_broker.packing import Command
    from callboard_broker.wire import Reply

#: Records per pipeline: enough to hide the round trips, few enough that the server's replies stay small.
BATCH: Final = 500

Record = TypeVar("Record", ActorOutline, ActorRecord, ClientRecord, NodeRecord)


class Reader:
    """A connection for looking, which the one who opened it closes.

    Args:
        wire: The connection.
        address: Where it leads.
        prefix: First part of every Redis key.
        timeout: Seconds from now after which nothing more is waited for.
        strict: Whether a record that cannot be read is an error; otherwise it is left out.
    """

    def __init__(self, wire: Wire, address: str, prefix: str, timeout: float, *, strict: bool) -> None:
        self.wire = wire
        self.address = address
        self.prefix = prefix
        self.keys = Keyspace(prefix)
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._strict = strict

    def ask(self, *commands: Command) -> list[Reply]:
        """Send commands in one packet and return their replies.

        Raises:
            BrokerRefusedError: The server refused one of them.
            BrokerUnreachableError: The connection broke, or no reply came in time.
        """
        if not commands:
            return []
        self.wire.send(*commands)
        left = max(0, int((self._deadline - time.monotonic()) * 1000))
        if not self.wire.readable(left):
            raise BrokerUnreachableError(
                f"the server at {without_password(self.address)} did not answer within {self._timeout:g} s: raise the "
                "timeout, or look at its load with `redis-cli --latency`"
            )
        replies = [self.wire.receive() for _ in commands]
        return [checked(reply) for reply in replies]

    def outlines(self) -> Iterator[list[ActorOutline]]:
        """Yield the outlines of all actors in batches: those that are not DEAD, then those that are, newest first.

        One that dies meanwhile occurs once, as either. One that begins meanwhile may be missing.
        """
        living, dead = self.actor_ids()
        read = [outline for part in parts(living) for outline in self.records(ActorOutline, self.keys.actor, part)]
        read.sort(key=lambda outline: outline.created_at, reverse=True)
        yield from parts([outline for outline in read if outline.state is not State.DEAD])
        died = {outline.actor_id: outline for outline in read if outline.state is State.DEAD}
        if died:
            yield list(died.values())
        for part in parts([actor for actor in dead if actor not in died]):
            yield self.records(ActorOutline, self.keys.actor, part)

    def actors(self) -> Iterator[list[ActorRecord]]:
        """Yield the records of all actors, in batches and in the order of `outlines`.

        One that dies after its outline was read is where that was.
        """
        for batch in self.outlines():
            yield self.records(ActorRecord, self.keys.actor, [outline.actor_id for outline in batch])

    def actor_ids(self) -> tuple[list[str], list[str]]:
        """Return the actors that are not DEAD, and those that are, the last to die first."""
        living, dead = self.ask(("SMEMBERS", self.keys.actors), ("ZREVRANGE", self.keys.dead, 0, -1))
        return _texts(living), _texts(dead)

    def backwards(self, stream: bytes, last: str = "+", first: str = "-") -> Iterator[tuple[str, dict[str, bytes]]]:
        """Yield the entries of a stream with their ids, the latest first; what comes meanwhile is not among them."""
        while True:
            (reply,) = self.ask(("XREVRANGE", stream, last, first, "COUNT", BATCH))
            found = entries(reply)
            for entry, flat in found:
                yield entry.decode(), fields(flat or [])
            if len(found) < BATCH:
                return
            last = f"({found[-1][0].decode()}"

    def clients(self) -> list[ClientRecord]:
        """Return the records of all clients."""
        (found,) = self.ask(("SMEMBERS", self.keys.clients))
        return [
            record
            for part in parts(sorted(_texts(found)))
            for record in self.records(ClientRecord, self.keys.client, part)
        ]

    def nodes(self) -> list[NodeRecord]:
        """Return the records of all nodes."""
        (found,) = self.ask(("SMEMBERS", self.keys.nodes))
        return [
            record for part in parts(sorted(_texts(found))) for record in self.records(NodeRecord, self.keys.node, part)
        ]

    def records(self, kind: type[Record], key: Callable[[str], bytes], ids: Sequence[str]) -> list[Record]:
        """Return the records of a kind that still exist; of an actor's record its outline, when that is the kind.

        Raises:
            RaySystemError: A record is not what callboard writes.
        """
        found: list[Record] = []
        partly = kind is ActorOutline
        question: Command = ("HMGET", *ActorOutline.names()) if partly else ("HGETALL",)
        commands: list[Command] = [(question[0], key(identity), *question[1:]) for identity in ids]
        for identity, reply in zip(ids, self.ask(*commands), strict=True):
            stored = items(reply)
            if not any(stored):
                continue
            try:
                found.append(_whole(kind.decode_values(stored) if partly else kind.decode(fields(stored))))
            except ValueError as error:
                if self._strict:
                    raise RaySystemError(
                        f"the record {key(identity).decode()} cannot be read: {error}. Look at it with "
                        "`redis-cli HGETALL`; raise_on_missing_output=False leaves it out"
                    ) from error
        return found


@contextlib.contextmanager
def reading(address: str | None = None, timeout: float = 30.0, *, strict: bool = True) -> Iterator[Reader]:
    """Open a connection for looking at a callboard, and close it at the end.

    Args:
        address: Redis URL; ``"auto"`` is the callboard of `callboard up`. None: the callboard that this process has
            joined, else ``CALLBOARD_ADDRESS``, else as ``"auto"``.
        timeout: Seconds for all that is asked.
        strict: See `Reader`.

    Raises:
        BrokerUnreachableError: Nobody answers, or there is nobody to ask.
        BrokerRefusedError: The server refuses us.
        ValueError: The address is not a Redis URL.
    """
    address, prefix = locate(address)
    wire = Wire.open(address, name=f"{prefix}:look", timeout=timeout)
    with contextlib.closing(wire):
        yield Reader(wire, address, prefix, timeout, strict=strict)


def moment_of(entry: str) -> str:
    """Return when an entry of a stream was made, by the server's clock, in UTC."""
    moment = datetime.fromtimestamp(int(entry.partition("-")[0]) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds")


def locate(address: str | None) -> tuple[str, str]:
    """Return the address and the prefix that are meant; see `reading`.

    Raises:
        BrokerUnreachableError: There is nobody to ask.
    """
    session = _session.current()
    if address is None and session is not None and not session.client.closed:
        return session.client.broker.address, session.client.broker.prefix
    address = address or os.environ.get("CALLBOARD_ADDRESS") or "auto"
    return find_address() if address == "auto" else address, os.environ.get("CALLBOARD_PREFIX", "cb")


def _whole(record: Record) -> Record:
    """Return a record whose fields of JSON can be read.

    Raises:
        ValueError: One of them cannot.
    """
    if isinstance(record, ActorRecord):
        _ = record.cause, record.required
    if isinstance(record, NodeRecord):
        _ = record.room, record.capacity
    return record


Item = TypeVar("Item")


def parts(whole: Sequence[Item]) -> Iterator[list[Item]]:
    """Cut something into parts that are asked for together."""
    return (list(whole[start : start + BATCH]) for start in range(0, len(whole), BATCH))


def _texts(reply: Reply) -> list[str]:
    return [text(member) for member in items(reply)]
