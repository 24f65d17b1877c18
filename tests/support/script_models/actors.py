"""Models of the scripts about an actor's record: creation, incarnations, the end."""

from tests.support.script_models.things import (
    NOW,
    Answer,
    Hash,
    Name,
    RefusedError,
    Scores,
    Stream,
    must_be_current,
    must_live,
    pairs,
)

__all__ = [
    "adopt",
    "claim_name",
    "create",
    "finish",
    "kill",
    "last_act",
    "place",
    "ready",
    "release_name",
    "seal",
    "start",
    "takeover",
]


def create(
    record: Hash,
    creation: Hash,
    mailbox: Stream,
    holders: Hash,
    actors: set[str],
    requests: Stream,
    users: set[str],
    inbox: Stream,
    holds: set[str],
    events: Stream,
    actor: str,
    client: str,
    detached: str,
    place: str,
    creation_fields: str,
    record_and_creation: list[str],
) -> int:
    """Have an actor be there, with a mailbox; its creator holds it, and owns it unless it is detached and placed."""
    must_live(inbox)
    if record:
        return 0
    signed = int(creation_fields)
    creation.update(pairs(record_and_creation[:signed]))
    record.update(pairs(record_and_creation[signed:]))
    mailbox.give_group("waiting")
    holders[f"c:{client}"] = client
    holds.add(f"hold {actor}")
    if (detached, place) != ("1", "1"):
        holds.add(f"own {actor}")
    users.add(f"a:{actor}")
    actors.add(actor)
    events.add(actor=actor, event="created")
    if place == "1":
        requests.add(op="place", actor=actor)
    return 1


def place(record: Hash, requests: Stream, inbox: Stream, holds: set[str], actor: str, predecessor: str) -> int:
    """Have an actor that was unready wait for a node; a detached one is its creator's no longer."""
    must_live(inbox)
    if record.get("state") != "DEPENDENCIES_UNREADY":
        return 0
    record.update(state="PENDING_CREATION", predecessor=predecessor)
    if record["detached"] == "1":
        holds.discard(f"own {actor}")
    requests.add(op="place", actor=actor)
    return 1


def start(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    events: Stream,
    actor: str,
    expected: str,
    token: str,
    node: str,
    state: str,
    restarts: str,
    fields: list[str],
) -> Answer:
    """Have another incarnation be the actor, which is given all that is in the mailbox."""
    if not record:
        raise RefusedError("UNKNOWN")
    if record["state"] == "DEAD":
        raise RefusedError("DEAD")
    if record["token"] == token:
        return [int(record["incarnation"]), record["last_id"]]
    must_be_current(record, expected)
    stream = _stream(record, mailbox, sealed)
    stream.groups.pop(record["group"], None)
    stream.give_group(token)
    incarnation = int(record["incarnation"]) + 1
    record.update(
        incarnation=str(incarnation),
        num_restarts=str(int(record["num_restarts"]) + int(restarts)),
        token=token,
        group=token,
        node=node,
        state=state,
        last_id=stream.last,
        pid="0",
        started="0",
        **pairs(fields),
    )
    events.add(actor=actor, event=state.lower(), node=node, incarnation=str(incarnation))
    return [incarnation, stream.last]


def adopt(record: Hash, expected: str, before: str, node: str) -> int:
    """Have an incarnation be a node's, unless another was faster."""
    if not record or record["state"] == "DEAD" or record["token"] != expected or record["node"] not in {before, node}:
        return 0
    record["node"] = node
    return 1


def ready(
    record: Hash, mailbox: Stream, sealed: Stream, events: Stream, actor: str, token: str, fields: list[str]
) -> Answer:
    """Have an incarnation be ALIVE, which learns what was submitted since it began."""
    must_be_current(record, token)
    if record["state"] != "ALIVE":
        record.update(state="ALIVE", started="1", **pairs(fields))
        events.add(actor=actor, event="alive")
    return [record["sealed"], record["last_id"], _stream(record, mailbox, sealed).last]


def takeover(record: Hash, mailbox: Stream, sealed: Stream, token: str, group: str, last: str) -> str:
    """Have an incarnation read by another group, from an entry on."""
    must_be_current(record, token)
    if record["group"] != group:
        stream = _stream(record, mailbox, sealed)
        stream.groups.pop(record["group"], None)
        stream.give_group(group, after=last)
        record["group"] = group
    return record["sealed"]


def _stream(record: Hash, mailbox: Stream, sealed: Stream) -> Stream:
    """Return where the outstanding calls are."""
    return sealed if record["sealed"] else mailbox


def seal(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    holders: Hash,
    index: set[str],
    requests: Stream,
    events: Stream,
    actor: str,
    holder: str,
    client: str,
    member: str,
    force: str,
    reason: str,
    entry: list[str],
) -> str | None:
    """Release a holder, and close the mailbox behind an entry that ends the actor if nobody is to post any more."""
    if holder and client in {"", holders.get(holder)}:
        holders.pop(holder, None)
    if holder:
        index.discard(member)
    if not record or record["state"] == "DEAD":
        return None
    if record["sealed"]:
        # An owner's end does not wait for calls, as other ends may.
        if reason == "owner_died" and record["voided"] != "1":
            record["sealed"] = reason
        return None
    held = record["detached"] == "1" or bool(holders)
    if held and force == "0":
        return None
    if mailbox:
        mailbox.rename_to(sealed)
    record["sealed"] = reason
    events.add(actor=actor, event="sealed", reason=reason)
    if record["state"] != "ALIVE":
        requests.add(op="look", actor=actor)
    return sealed.add(*entry) if entry else "0-0"


def kill(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    requests: Stream,
    events: Stream,
    actor: str,
    token: str,
    reason: str,
    cause: str,
) -> Answer:
    """Have nobody post, and no process be the actor, from now on; once."""
    if not record:
        return ["", ""]
    before: Answer = [record["state"], record["node"]]
    if record["state"] == "DEAD" or record["voided"] == "1":
        return ["DEAD", record["node"]]
    if mailbox and not record["sealed"]:
        mailbox.rename_to(sealed)
    record.update(sealed=reason, token=token, voided="1", death_cause=cause)
    events.add(actor=actor, event="killed", reason=reason)
    if not record["node"]:
        requests.add(op="look", actor=actor)
    return before


def last_act(record: Hash, events: Stream, actor: str, token: str, cause: str) -> int:
    """Have the end of an incarnation be the actor's."""
    must_be_current(record, token)
    if record["shutdown_started"] == "1":
        return 0
    record.update(shutdown_started="1", death_cause=cause)
    events.add(actor=actor, event="ending")
    return 1


def finish(
    record: Hash,
    creation: Hash,
    mailbox: Stream,
    sealed: Stream,
    seen: Hash,
    attempts: Hash,
    carried: Hash,
    control: Stream,
    rejected: Stream,
    holders: Hash,
    owner_holds: set[str],
    actors: set[str],
    dead: Scores,
    outbox: Stream,
    events: Stream,
    actor: str,
    token: str,
    cause: str,
) -> int:
    """Have only the record be left of an actor without calls; what its creation and calls carried is released."""
    if not record or record["state"] == "DEAD":
        return 0
    must_be_current(record, token)
    if mailbox.entries or sealed.entries:
        raise RefusedError("DRAIN")
    lent = {f"i:{actor}": creation.get("tokens", "")} | {f"m:{call}": tokens for call, tokens in carried.items()}
    for holder, tokens in lent.items():
        if tokens:
            outbox.add(token=holder, targets=tokens)
    for thing in (creation, mailbox, sealed, seen, attempts, carried, control, rejected, holders):
        thing.clear()
    record.update(state="DEAD", death_cause=cause, ended_at=str(NOW))
    owner_holds.discard(f"own {actor}")
    actors.discard(actor)
    dead[actor] = NOW
    events.add(actor=actor, event="dead", cause=cause)
    return 1


def claim_name(name: Name, actor: str, stale: str) -> str:
    """Have an actor bear a name that nobody bears, or one who is known to be gone."""
    if name.bearer in {"", stale}:
        name.bearer = actor
    return name.bearer


def release_name(name: Name, actor: str) -> int:
    """Have nobody bear a name that an actor bore."""
    if name.bearer != actor:
        return 0
    name.clear()
    return 1
