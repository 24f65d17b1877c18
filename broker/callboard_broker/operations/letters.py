"""Operations on dead letters: calls that were set aside because they took their actors' processes down too often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from callboard_broker.envelope import open_call
from callboard_broker.errors import MalformedEntryError, StaleEntryError
from callboard_broker.scripts import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callboard_broker.envelope import Call, Outcome, Signer
    from callboard_broker.keys import Keyspace
    from callboard_broker.packing import Argument, Command
    from callboard_broker.records import ActorRecord


_TEXTS: Final = ("actor", "class_name", "name", "method", "call", "cause", "entry")


@dataclass(frozen=True, slots=True)
class Letter:
    """A call that was set aside.

    Attributes:
        actor: Whose call it was.
        class_name: The actor's class.
        name: The actor's name; empty when it has none.
        method: What was called.
        call: Id of the call.
        deliveries: How often it had been started when it was set aside.
        cause: How the process ended the last time, in words.
        entry: Its entry in the mailbox.
        line: What its caller signed.
        body: Its pickled arguments.
    """

    actor: str
    class_name: str
    name: str
    method: str
    call: str
    deliveries: int
    cause: str
    entry: str
    line: bytes
    body: bytes

    @classmethod
    def decode(cls, stored: Mapping[str, bytes]) -> Self:
        """Read what `set_aside` wrote; nothing in it has been verified.

        Raises:
            MalformedEntryError: That is something else.
        """
        told = {name: stored.get(name, b"").decode(errors="replace") for name in _TEXTS}
        try:
            deliveries = int(stored.get("deliveries", b""))
        except ValueError as error:
            raise MalformedEntryError(f"it does not have the fields of a dead letter: {error}") from error
        return cls(**told, deliveries=deliveries, line=stored.get("line", b""), body=stored.get("body", b""))

    def open(self, signer: Signer) -> Call:
        """Verify the call in it and return that.

        Args:
            signer: For calls of the actor.

        Raises:
            ForgedEntryError: Its MAC is not ours.
        """
        try:
            return open_call(signer, self.entry.encode(), [b"call", self.line, b"body", self.body])
        except StaleEntryError as error:
            return error.call


def set_aside(
    keys: Keyspace,
    record: ActorRecord,
    call: Call,
    about: tuple[bytes, str],
    told: tuple[Outcome, bytes],
    finished: bytes,
) -> Command:
    """Set a call aside, and tell its caller.

    Args:
        keys: Of this callboard.
        record: Of its actor, whose present incarnation is dead.
        call: The call.
        about: What its caller signed, and how the process ended.
        told: What its caller is told, and the sealed head of that.
        finished: What the ledger is to say of the caller.
    """
    actor = record.actor_id
    line, cause = about
    outcome, sealed = told
    letter: list[Argument] = [
        "class_name", record.class_name, "name", record.name, "method", call.method, "call", call.id,
        "deliveries", record.max_deliveries, "cause", cause, "entry", call.entry, "line", line, "body", call.body,
    ]  # fmt: skip
    return script("set_aside").eval(
        [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.seen(actor), keys.attempts(actor),
            keys.carried(actor), keys.outbox, keys.letters, keys.inbox(call.caller), keys.events,
        ],
        [record.token, call.entry, call.caller, finished, call.id, sealed, outcome.body, actor, *letter],
    )  # fmt: skip


def retry_letter(keys: Keyspace, actor: str, letter: str, fields: Sequence[Argument]) -> Command:
    """Post a dead letter again.

    Args:
        keys: Of this callboard.
        actor: Whose call it is.
        letter: Its entry among the dead letters.
        fields: Of a call, signed by whoever retries it.
    """
    return script("retry_letter").eval([keys.letters, keys.mailbox(actor)], [letter, *fields])
