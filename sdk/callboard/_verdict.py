"""What becomes of a call that the broker did not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard import _serde
from callboard._result import STATUS_LOCAL
from callboard_broker import verdicts
from callboard_broker.deaths import STATUS_DIED
from callboard_broker.errors import BrokerError, BrokerRefusedError, ClientGoneError
from callboard_broker.records import ActorRecord, State
from callboard_broker.wire import mapping

if TYPE_CHECKING:
    from callboard._client import Client


class Verdicts:
    """Find out why a call was not taken, and give it that outcome."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def refused(self, call: bytes, reply: str) -> None:
        """Give a call the server's refusal as its outcome; sending it again silently would break the order."""
        if reply.startswith("GONE"):
            error: BrokerError = self.gone(reply)
        else:
            error = BrokerRefusedError(f"the server refused the call: {reply}")
        self._client.fail(call, STATUS_LOCAL, _serde.pack(error).body)

    def gone(self, why: str) -> ClientGoneError:
        """Return the error of a client that is none any more."""
        return ClientGoneError(
            f"this process was declared dead and its actors were ended, or Redis has lost its data: {why}. Call "
            "shutdown() and init() again."
        )

    def no_mailbox(self, call: bytes, actor: str) -> None:
        """Give a call the death of its actor as its outcome."""
        client = self._client
        try:
            record = self.record(actor)
            if not (record.class_name or client.ask("EXISTS", client.keys.inbox(client.id))):
                raise self.gone("it is not registered any more")
        except BrokerError as error:
            client.fail(call, STATUS_LOCAL, _serde.pack(error).body)
            return
        client.fail(call, STATUS_DIED, verdicts.died(record, verdicts.cause_of(record)))

    def record(self, actor: str) -> ActorRecord:
        """Read an actor's record; one that does not exist (any more) reads as DEAD."""
        stored = mapping(self._client.ask("HGETALL", self._client.keys.actor(actor)))
        return ActorRecord.decode(stored) if stored else ActorRecord(actor_id=actor, state=State.DEAD)
