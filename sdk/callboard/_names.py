"""Names: finding named actors, and claiming a name for a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callboard._handle import ActorHandle
from callboard._lookups import Found
from callboard._terms import terms_of
from callboard.exceptions import ActorAlreadyExistsError
from callboard_broker.operations import actors
from callboard_broker.records import ActorRecord, State
from callboard_broker.wire import maybe_text, selection, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._client import Client
    from callboard._definition import ClassInfo
    from callboard._options import ActorOptions
    from callboard_broker.packing import Command
    from callboard_broker.wire import Reply

#: What a handle needs of a record, and what tells whether there will be one.
_READ: Final = (
    "state",
    "voided",
    "definition",
    "max_task_retries",
    "max_concurrency",
    "max_pending_calls",
    "concurrency_groups",
)


def find(client: Client, namespace: str, name: str) -> ActorHandle | None:
    """Return a handle to the actor that bears a name, or None when nobody does who will live on."""
    key = client.keys.name(namespace, name)
    last = client.lookups.last(key)
    expected = last.hold.actor if last else "-"
    bearer, told = client.ask_all(("GET", key), _question(client, expected))
    actor = maybe_text(bearer)
    if actor is None:
        return None
    if actor != expected:
        told = client.ask(*_question(client, actor))
    found = last if last and actor == expected and told == last.told else _found(client, actor, told)
    if found is None:
        return None
    client.lookups.keep(key, found)
    return ActorHandle(found.hold, found.info, found.terms)


def _found(client: Client, actor: str, told: Reply) -> Found | None:
    record = _answer(told)
    if record is None or _stale(record):
        return None
    info = client.class_info(record.definition)
    return Found(client.holdings.hold(actor), info, terms_of(record, info), told)


def claim(
    client: Client,
    record: ActorRecord,
    handle: ActorHandle,
    options: ActorOptions,
    place: Callable[[str], None],
) -> ActorHandle:
    """Give a new actor its name and let it start; or return the one that has the name, if that is wanted.

    Args:
        client: Who creates it.
        record: The new actor.
        handle: A handle to it.
        options: What it was created with.
        place: Lets it start; told whose process must be gone before, as it bore the name.

    Raises:
        ActorAlreadyExistsError: Another actor bears the name.
    """
    stale, predecessor = "", ""
    while True:
        command = actors.claim_name(client.keys, record.namespace, record.name, record.actor_id, stale)
        bearer = text(client.outbound.ask(*command))
        if bearer == record.actor_id:
            place(predecessor)
            return handle
        found = _read(client, bearer)
        if found is not None and not _stale(found):
            existing = find(client, record.namespace, record.name)
            if existing is None:
                continue
            if options.get_if_exists:
                return same_class(existing, handle._info, options)  # noqa: SLF001
            raise taken(record.namespace, record.name)
        stale = bearer
        predecessor = bearer if found is not None and found.state != State.DEAD else ""


def same_class(existing: ActorHandle, wanted: ClassInfo, options: ActorOptions) -> ActorHandle:
    """Return an existing actor in place of a new one, if it is of the same class.

    Raises:
        ValueError: It is of another class.
    """
    found = existing._info  # noqa: SLF001
    if found.name != wanted.name:
        raise ValueError(
            f"the actor named {options.name!r} is a {found.name}, not a {wanted.name}: get_if_exists would hand "
            "over an "
            "actor of another class. Use another name or namespace."
        )
    return existing


def taken(namespace: str, name: str) -> ActorAlreadyExistsError:
    """Return the error for a name that another actor bears."""
    return ActorAlreadyExistsError(
        f"The name {name} (namespace={namespace}) is already taken. Use a different name, get the existing actor by "
        f"callboard.get_actor({name!r}, namespace={namespace!r}), or pass get_if_exists=True."
    )


def _read(client: Client, actor: str) -> ActorRecord | None:
    return _answer(client.ask(*_question(client, actor)))


def _question(client: Client, actor: str) -> Command:
    return ("HMGET", client.keys.actor(actor), *_READ)


def _answer(reply: Reply) -> ActorRecord | None:
    stored = selection(_READ, reply)
    return ActorRecord.decode(stored) if stored else None


def _stale(record: ActorRecord) -> bool:
    return record.state == State.DEAD or record.voided
