"""Operations on an actor's record: creation, incarnations, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard_broker.deaths import SEALED_KILLED
from callboard_broker.scripts import script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.deaths import DeathCause
    from callboard_broker.envelope import Signer
    from callboard_broker.keys import Keyspace
    from callboard_broker.packing import Argument, Command
    from callboard_broker.records import ActorRecord


def create(keys: Keyspace, client: str, record: ActorRecord, creation: Sequence[Argument]) -> Command:
    """Create an actor, and have it placed unless it is unready; ``creation`` is what `envelope.seal_fields` made."""
    actor = record.actor_id
    return script("create").eval(
        [
            keys.actor(actor), keys.creation(actor), keys.mailbox(actor), keys.holders(actor), keys.actors,
            keys.requests, keys.definition_users(record.definition), keys.inbox(client), keys.holds(client),
            keys.events,
        ],
        [
            actor, client, int(record.detached), int(record.state == "PENDING_CREATION"), len(creation),
            *creation, *record.encode(),
        ],
    )  # fmt: skip


def place(keys: Keyspace, client: str, actor: str, predecessor: str = "") -> Command:
    """Hand a created actor to the nodes; it starts once its predecessor, if any, is DEAD."""
    return script("place").eval(
        [keys.actor(actor), keys.requests, keys.inbox(client), keys.holds(client)], [actor, client, predecessor]
    )


def start(
    keys: Keyspace, record: ActorRecord, *, token: str, node: str, where: Sequence[Argument], state: str, restarts: int
) -> Command:
    """Begin a new incarnation of an actor, provided that ``record`` still shows the current one.

    Args:
        keys: Of this callboard.
        record: The actor's record as it was read.
        token: Of the new incarnation.
        node: Where it will run; ``""`` for whichever node takes it.
        where: Fields of the record that say more of it: ``host``, ``hostname``, ``output``.
        state: State until it serves.
        restarts: Restarts to count: 0 or 1.
    """
    actor = record.actor_id
    return script("start").eval(
        [keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.events],
        [actor, record.token, token, node, state, restarts, "pending_reason", "", *where],
    )


def adopt(keys: Keyspace, record: ActorRecord, node: str) -> Command:
    """Have a node see to an actor as long as nobody has begun to since ``record`` was read."""
    return script("adopt").eval([keys.actor(record.actor_id)], [record.token, record.node, node])


def request(keys: Keyspace, op: str, actor: str) -> Command:
    """Ask whichever supervisor takes it to ``place`` or ``look`` at an actor."""
    return ("XADD", keys.requests, "*", "op", op, "actor", actor)


def ready(keys: Keyspace, actor: str, token: str, fields: Sequence[Argument]) -> Command:
    """Say that an incarnation serves."""
    return script("ready").eval(
        [keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.events], [actor, token, *fields]
    )


def takeover(keys: Keyspace, actor: str, token: str, group: str, last: bytes) -> Command:
    """Give a worker whose connection broke a new group."""
    return script("takeover").eval(
        [keys.actor(actor), keys.mailbox(actor), keys.sealed(actor)], [actor, token, group, last]
    )


def seal(keys: Keyspace, actor: str, reason: str, entry: Sequence[Argument] = ()) -> Command:
    """Seal a mailbox for a reason, appending the entry that ends the actor."""
    return _seal(keys, actor, ["", "", ""], keys.holds("-"), [1, reason, *entry])


def release(
    keys: Keyspace,
    actor: str,
    holder: str,
    *,
    index: str,
    member: str,
    lender: str = "",
    entry: Sequence[Argument] = (),
) -> Command:
    """Release a holder; the last one seals the mailbox.

    Args:
        keys: Of this callboard.
        actor: What is held.
        holder: ``c:<client>`` or a token.
        index: Client whose index names the holding.
        member: What the index says.
        lender: Release only what this client lent (``""``: whoever lent it).
        entry: Fields of the entry that ends the actor.
    """
    return _seal(keys, actor, [holder, lender, member], keys.holds(index), [0, "out_of_scope", *entry])


def _seal(keys: Keyspace, actor: str, holding: Sequence[Argument], index: bytes, rest: Sequence[Argument]) -> Command:
    return script("seal").eval(
        [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.holders(actor), index, keys.requests,
            keys.events,
        ],
        [actor, *holding, *rest],
    )  # fmt: skip


def kill(keys: Keyspace, actor: str, token: str, cause: DeathCause, reason: str = SEALED_KILLED) -> Command:
    """End an actor now; ``token`` voids the incarnation that runs."""
    return script("kill").eval(
        [keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.requests, keys.events],
        [actor, token, reason, cause.to_json()],
    )


def last_act(keys: Keyspace, actor: str, token: str, cause: DeathCause) -> Command:
    """Say that an incarnation began its graceful end."""
    return script("last_act").eval([keys.actor(actor), keys.events], [actor, token, cause.to_json()])


def finish(keys: Keyspace, record: ActorRecord, cause: DeathCause) -> Command:
    """Make an actor DEAD."""
    actor = record.actor_id
    return script("finish").eval(
        [
            keys.actor(actor), keys.creation(actor), keys.mailbox(actor), keys.sealed(actor), keys.seen(actor),
            keys.attempts(actor), keys.carried(actor), keys.control(actor), keys.rejected(actor), keys.holders(actor),
            keys.holds(record.owner), keys.actors, keys.dead, keys.outbox, keys.events,
        ],
        [actor, record.token, cause.to_json()],
    )  # fmt: skip


def claim_name(keys: Keyspace, namespace: str, name: str, actor: str, stale: str = "") -> Command:
    """Give a name to an actor unless somebody but ``stale`` bears it."""
    return script("claim_name").eval([keys.name(namespace, name)], [actor, stale])


def release_name(keys: Keyspace, namespace: str, name: str, actor: str) -> Command:
    """Free a name, provided that the actor still bears it."""
    return script("release_name").eval([keys.name(namespace, name)], [actor])


def command_node(keys: Keyspace, node: str, signer: Signer, op: str, subject: str) -> Command:
    """Ask a node to do something: ``place``, ``look`` at or ``kill`` an actor, ``restart`` a worker.

    Or to ``watch`` a client, or to publish the ``output`` of a job up to now. A worker is named by its id as a client,
    so that a command that is sent again after a broken connection does not end the next incarnation.
    """
    mac = signer.sign([op.encode(), subject.encode()], b"")
    return ("XADD", keys.commands(node), "MAXLEN", "~", 10_000, "*", "op", op, "subject", subject, "mac", mac)
