"""The supervisor's connection for questions and changes; it comes back after it broke."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.records import ActorRecord
from callboard_broker.wire import ReplyError, checked, items, mapping, maybe_text, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard_broker.broker import Broker
    from callboard_broker.packing import Argument, Command
    from callboard_broker.wire import Reply, Wire

T = TypeVar("T")


class Sketch(NamedTuple):
    """Of an actor's record what is looked at again and again, where reading all of it would add up."""

    actor: str
    state: str
    node: str
    token: str
    sealed: str
    created_at: float


class Link:
    """Ask Redis, one question at a time, from the supervisor's only thread."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker = broker
        self.keys = broker.keys
        #: Something was refused because there is something of another type in the place of a key.
        self.misled = False
        self._name = name
        self._wire: Wire = broker.connect(name, patience=10.0)

    @property
    def lost(self) -> bool:
        """Tell whether there is no connection, and none could be made when something was last asked for."""
        return self._wire.broken

    def call(self, *command: Argument) -> Reply:
        """Send a command and return its reply.

        Raises:
            BrokerRefusedError: The reply is an error.
            BrokerUnreachableError: There is no connection, and none can be made now.
        """
        return self.pipeline([command])[0]

    def pipeline(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands in one packet and return their replies.

        Raises:
            BrokerRefusedError: A reply is an error.
            BrokerUnreachableError: There is no connection, and none can be made now.
        """
        replies = self._twice(lambda wire: wire.pipeline(commands))
        self.misled |= any(isinstance(reply, ReplyError) and "WRONGTYPE" in str(reply) for reply in replies)
        return [checked(reply) for reply in replies]

    def send_packed(self, commands: Sequence[bytes]) -> list[Reply]:
        """Send packed commands and return their replies, errors among them.

        Raises:
            BrokerUnreachableError: There is no connection, and none can be made now.
        """

        def send(wire: Wire) -> list[Reply]:
            wire.send_packed(b"".join(commands))
            return [wire.receive() for _ in commands]

        return self._twice(send)

    def actor(self, actor: str) -> ActorRecord | None:
        """Read an actor's record."""
        stored = mapping(self.call("HGETALL", self.keys.actor(actor)))
        return ActorRecord.decode(stored) if stored else None

    def sketches(self) -> list[Sketch]:
        """Read of every actor that is not DEAD what tells whether there is more to be looked at."""
        names = self.members(self.keys.actors)
        replies = self.pipeline(
            [("HMGET", self.keys.actor(name), "state", "node", "token", "sealed", "created_at") for name in names]
        )
        found = zip(names, ([maybe_text(part) or "" for part in items(reply)] for reply in replies), strict=True)
        return [
            Sketch(name, state, node, token, sealed, float(created or 0))
            for name, (state, node, token, sealed, created) in found
            if state
        ]

    def members(self, key: bytes) -> list[str]:
        """Read a set."""
        return sorted(text(member) for member in items(self.call("SMEMBERS", key)))

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _twice(self, ask: Callable[[Wire], T]) -> T:
        # A connection may have broken while idle, which shows only when it is used. All that a supervisor asks for
        # can be asked for twice.
        try:
            return ask(self._connected())
        except BrokerUnreachableError:
            return ask(self._connected())

    def _connected(self) -> Wire:
        if self._wire.broken:
            self._wire.close()
            self._wire = self.broker.connect(self._name)
        return self._wire
