"""Operations on clients and nodes: registering, beating, leaving, burying; class definitions, objects, holdings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard_broker.scripts import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callboard_broker.keys import Keyspace
    from callboard_broker.packing import Argument, Command
    from callboard_broker.records import ClientRecord


def register(keys: Keyspace, record: ClientRecord) -> Command:
    """Register a client."""
    client = record.id
    return script("register").eval([keys.client(client), keys.inbox(client), keys.clients], [client, *record.encode()])


def beat_client(keys: Keyspace, client: str) -> Command:
    """Move a client's heartbeat counter."""
    return script("beat").eval([keys.client(client), keys.inbox(client)], [])


def beat_node(keys: Keyspace, node: str, fields: Sequence[Argument] = ()) -> Command:
    """Move a node's heartbeat counter and update fields of its record."""
    return script("beat").eval([keys.node(node), keys.node(node)], list(fields))


def connect(keys: Keyspace, client: str, connection: int) -> Command:
    """Note by which connection a client sends, as the server numbers them; refused once it has been declared dead."""
    return script("beat").eval([keys.client(client), keys.inbox(client)], ["connection", connection])


def listen(keys: Keyspace, client: str, group: str, last: bytes) -> Command:
    """Have a connection read a client's inbox through a group of its own, from behind an entry on."""
    return script("listen").eval([keys.inbox(client)], [group, last])


def mend(types: Mapping[bytes, str]) -> Command:
    """Delete those of some keys that hold something of another type than they should."""
    return script("mend").eval(list(types), list(types.values()))


def say_goodbye(keys: Keyspace, client: str) -> Command:
    """Note that a client is leaving by its own will, so that its actors end gracefully."""
    return script("beat").eval([keys.client(client), keys.inbox(client)], ["leaving", "normal"])


def bury(keys: Keyspace, client: str, how: str) -> Command:
    """Declare a client dead."""
    return script("bury").eval([keys.client(client), keys.inbox(client)], [how])


def define(keys: Keyspace, client: str, sha: str, fields: Sequence[Argument]) -> Command:
    """Publish a class definition."""
    return script("define").eval(
        [keys.definition(sha), keys.definition_users(sha), keys.inbox(client), keys.holds(client)],
        [client, sha, *fields],
    )


def undefine(keys: Keyspace, sha: str, user: str) -> Command:
    """Note that a client (``c:<client>``) or actor (``a:<actor>``) no longer needs a class definition."""
    return script("undefine").eval([keys.definition(sha), keys.definition_users(sha)], [user])


def hold_actor(keys: Keyspace, client: str, actor: str, holder: str, member: str) -> Command:
    """Note that a client holds an actor (``c:<client>``), or that one of its messages will carry a handle (a token)."""
    return script("hold").eval(
        [keys.actor(actor), keys.holders(actor), keys.inbox(client), keys.holds(client)],
        [client, holder, member],
    )


def hold_object(keys: Keyspace, client: str, ref: str, holder: str, member: str) -> Command:
    """Note that a client holds an object (``c:<client>``), or that one of its messages will carry it (a token)."""
    return script("hold").eval(
        [keys.object(ref), keys.object_holders(ref), keys.inbox(client), keys.holds(client)],
        [client, holder, member],
    )


def drop_object(keys: Keyspace, ref: str, holder: str, *, index: str, member: str, lender: str = "") -> Command:
    """Release a holder of an object; the last one removes it. Arguments as those of `actors.release`."""
    return script("drop").eval(
        [keys.object(ref), keys.object_holders(ref), keys.object_waiters(ref), keys.holds(index), keys.outbox],
        [ref, holder, lender, member],
    )


def request_burial(keys: Keyspace, client: str) -> Command:
    """Ask whichever supervisor takes it to bury a client that has left."""
    return ("XADD", keys.requests, "*", "op", "bury", "client", client)


def publish_object(keys: Keyspace, client: str, ref: str, fields: Sequence[Argument]) -> Command:
    """Publish an object, or its value once it is there."""
    return script("publish").eval(
        [
            keys.object(ref), keys.object_holders(ref), keys.object_waiters(ref), keys.inbox(client),
            keys.holds(client),
        ],
        [client, ref, *fields],
    )  # fmt: skip


def await_object(keys: Keyspace, client: str, ref: str, owner: str) -> Command:
    """Look for an object, and be told when its value comes."""
    return script("await").eval([keys.object(ref), keys.object_waiters(ref), keys.inbox(owner)], [client])
