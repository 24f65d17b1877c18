"""Models of the scripts about clients and nodes, definitions, objects and holdings."""

from tests.support.script_models.things import Hash, Name, RefusedError, Scores, Stream, Thing, must_live, pairs

__all__ = ["await_", "beat", "bury", "define", "drop", "hold", "listen", "mend", "publish", "register", "undefine"]


def register(client: Hash, inbox: Stream, clients: set[str], id_: str, fields: list[str]) -> int:
    """Have a client live, which is to have an inbox; what has been buried never lives again."""
    if client.get("gone"):
        raise RefusedError("GONE")
    if inbox:
        return 0
    client.update(pairs(fields))
    inbox.there, inbox.last = True, "0-1"
    clients.add(id_)
    return 1


def beat(record: Hash, guard: Thing, fields: list[str]) -> int:
    """Count on, as long as what says that the owner lives is there: a client's inbox, or a node's record."""
    if not (guard and isinstance(guard, Stream | Hash)):
        raise RefusedError("GONE")
    record.update(pairs(fields))
    count = int(record.get("beat", "0")) + 1
    record["beat"] = str(count)
    return count


def listen(inbox: Stream, group: str, last: str) -> str:
    """Have one group read a client's inbox, from an entry on."""
    must_live(inbox)
    inbox.groups.clear()
    inbox.give_group(group, after=last)
    return "OK"


def bury(client: Hash, inbox: Stream, how: str) -> str | None:
    """Take a client's inbox, and note how it ended unless that is known."""
    if not client:
        return None
    inbox.clear()
    if not client["gone"]:
        client["gone"] = "normal" if client["leaving"] == "normal" else how
    return client["gone"]


def mend(keys: dict[str, Thing], types: list[str]) -> list[str]:
    """Delete what has another type than it should."""
    wrong = [key for (key, thing), should in zip(keys.items(), types, strict=True) if thing and _type(thing) != should]
    for key in wrong:
        keys[key].clear()
    return list(wrong)


def _type(thing: Thing) -> str:
    types = {Hash: "hash", Scores: "zset", Name: "string", Stream: "stream", set: "set", list: "list"}
    return types[type(thing)]


def define(
    definition: Hash, users: set[str], inbox: Stream, holds: set[str], client: str, sha: str, fields: list[str]
) -> int:
    """Have a client need a definition, which is published if it is not there."""
    must_live(inbox)
    new = not definition
    if new:
        definition.update(pairs(fields))
    users.add(f"c:{client}")
    holds.add(f"class {sha}")
    return int(new)


def undefine(definition: Hash, users: set[str], user: str) -> int:
    """Have one need a definition no longer; it is there as long as anybody needs it."""
    users.discard(user)
    removed = bool(definition) and not users
    if not users:
        definition.clear()
    return int(removed)


def hold(record: Hash, holders: Hash, inbox: Stream, holds: set[str], client: str, holder: str, member: str) -> int:
    """Count a holder of an actor or an object, unless that is ending; the client's index answers for it."""
    must_live(inbox)
    if not record or record["state"] == "DEAD" or record.get("sealed"):
        return 0
    holders[holder] = client
    holds.add(member)
    return 1


def drop(
    object_: Hash,
    holders: Hash,
    waiters: set[str],
    index: set[str],
    outbox: Stream,
    ref: str,
    holder: str,
    client: str,
    member: str,
) -> int:
    """Release a holder of an object; without holders the object goes, and what it carries is released."""
    if client in {"", holders.get(holder)}:
        holders.pop(holder, None)
    index.discard(member)
    if holders:
        return 0
    removed = bool(object_)
    if object_.get("tokens"):
        outbox.add(token=f"o:{ref}", targets=object_["tokens"])
    waiters.clear()
    object_.clear()
    return int(removed)


def publish(
    object_: Hash,
    holders: Hash,
    waiters: set[str],
    inbox: Stream,
    holds: set[str],
    client: str,
    ref: str,
    fields: list[str],
) -> set[str]:
    """Say what is known of an object, which its publisher holds from the first time on."""
    must_live(inbox)
    if not object_:
        holders[f"c:{client}"] = client
        holds.add(f"object {ref}")
    object_.update(pairs(fields))
    return waiters if object_.get("state") == "READY" else set()


def await_(object_: Hash, waiters: set[str], owner_inbox: Stream, client: str) -> dict[str, str] | None:
    """Look at an object whose owner lives, and wait for its value when it has none."""
    if not object_ or not owner_inbox:
        return None
    if object_["state"] != "READY":
        waiters.add(client)
    return object_
