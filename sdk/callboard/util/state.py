"""Look at actors, nodes, clients and events, as Ray's state API does.

All of it is read from Redis at the moment of the call; no other process has to run. ``address`` is a Redis URL, or
``"auto"`` for the callboard that `callboard up` started. Without one it is the callboard that this process has joined,
else that of ``CALLBOARD_ADDRESS``, else as with ``"auto"``. No cluster key is needed.

Filters are tuples such as ``("state", "=", "ALIVE")`` or ``("name", "!=", "")``; all of them must match.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from callboard.util._actors import Describer
from callboard.util._events import events
from callboard.util._filters import Filter, Filters
from callboard.util._letters import described, letters
from callboard.util._names import bearers
from callboard.util._reading import BATCH, Reader, reading
from callboard.util._schemas import (
    ActorState,
    ClientState,
    DeadLetterState,
    EventState,
    NameState,
    NodeState,
    StateSchema,
)
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.records import ActorRecord, NodeRecord
from callboard_broker.wire import integer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callboard_broker.records import ClientRecord

__all__ = [
    "ActorState",
    "ClientState",
    "DeadLetterState",
    "EventState",
    "NameState",
    "NodeState",
    "get_actor",
    "get_node",
    "list_actors",
    "list_clients",
    "list_dead_letters",
    "list_events",
    "list_names",
    "list_nodes",
    "summarize_actors",
]

#: The most that one call lists.
MOST: Final = 10_000
_ACTOR_ID: Final = 32
_NODE_ID: Final = 24
_HEX: Final = frozenset("0123456789abcdef")
#: Columns of actors that cost a look outside their records.
_COSTLY: Final = {"mailbox_length", "current_call", "retried_call"}

Schema = TypeVar("Schema", bound=StateSchema)


def list_actors(
    address: str | None = None,
    filters: Sequence[Filter] | None = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
) -> list[ActorState]:
    """List actors: those that are not DEAD, then those that are, newest first.

    Each is described as it was at one moment, but not all at the same. Of the DEAD only the latest are known.

    Args:
        address: See the module.
        filters: See the module.
        limit: List so many at most, 10,000 being the most.
        timeout: Seconds.
        detail: Fill in the fields after ``ray_namespace``, which are None otherwise.
        raise_on_missing_output: Raise when the time is over or what is shown of a record cannot be read; otherwise
            return the rest.

    Raises:
        ValueError: A filter, the limit or the address is not valid.
        BrokerUnreachableError: Nobody answers (in time), or there is nobody to ask.
        RaySystemError: A record cannot be read.
    """
    chosen = Filters(ActorState, filters)
    _check_limit(limit)
    costly = detail or bool(chosen.columns & _COSTLY)
    brief = not detail and chosen.columns <= {*ActorState.columns(detail=False)}

    def described(reader: Reader) -> Iterator[ActorState]:
        describer = Describer(reader)
        if brief:
            for outlines in reader.outlines():
                yield from map(describer.briefly, outlines)
            return
        for batch in reader.actors():
            yield from describer.fully(batch) if costly else map(describer.alone, batch)

    found: list[ActorState] = []
    with reading(address, timeout, strict=raise_on_missing_output) as reader:
        try:
            _collect(found, described(reader), chosen, limit, detail=detail or brief)
        except BrokerUnreachableError:
            if raise_on_missing_output:
                raise
    return found


def get_actor(id: str, address: str | None = None, timeout: float = 30) -> ActorState | None:  # noqa: A002 - Ray's name
    """Return all that is known of an actor, or None when nothing is.

    Args:
        id: 32 hexadecimal characters.
        address: See the module.
        timeout: Seconds.

    Raises:
        ValueError: That is no actor id.
        BrokerUnreachableError: Nobody answers, or there is nobody to ask.
        RaySystemError: The record cannot be read.
    """
    _check_id(id, "actor", _ACTOR_ID)
    with reading(address, timeout) as reader:
        found = reader.records(ActorRecord, reader.keys.actor, [id])
        return Describer(reader).fully(found)[0] if found else None


def summarize_actors(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True
) -> dict[str, Any]:
    """Count the actors of each class by their states, DEAD ones included as far as they are known.

    Args:
        address: See the module.
        timeout: Seconds.
        raise_on_missing_output: Raise when what is counted of a record cannot be read; otherwise leave it out.

    Returns:
        ``{"cluster": {"summary": {class: {"class_name", "state_counts"}}, "total_actors", "summary_by": "class"}}``.

    Raises:
        BrokerUnreachableError: Nobody answers (in time), or there is nobody to ask.
        RaySystemError: A record cannot be read.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with reading(address, timeout, strict=raise_on_missing_output) as reader:
        for batch in reader.outlines():
            for outline in batch:
                counts[outline.class_name][outline.state.value] += 1
    summary = {name: {"class_name": name, "state_counts": dict(counts[name])} for name in sorted(counts)}
    total = sum(of_class.total() for of_class in counts.values())
    return {"cluster": {"summary": summary, "total_actors": total, "summary_by": "class"}}


def list_nodes(
    address: str | None = None,
    filters: Sequence[Filter] | None = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
) -> list[NodeState]:
    """List the nodes. Arguments and errors are those of `list_actors`."""
    chosen = Filters(NodeState, filters)
    _check_limit(limit)
    found: list[NodeState] = []
    with reading(address, timeout, strict=raise_on_missing_output) as reader:
        _collect(found, map(_node, reader.nodes()), chosen, limit, detail=detail)
    return found


def get_node(id: str, address: str | None = None, timeout: float = 30) -> NodeState | None:  # noqa: A002 - Ray's name
    """Return all that is known of a node, or None when nothing is. Arguments and errors are those of `get_actor`."""
    _check_id(id, "node", _NODE_ID)
    with reading(address, timeout) as reader:
        found = reader.records(NodeRecord, reader.keys.node, [id])
        return _node(found[0]) if found else None


def list_clients(
    address: str | None = None,
    filters: Sequence[Filter] | None = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
) -> list[ClientState]:
    """List the clients: drivers and workers. Arguments and errors are those of `list_actors`."""
    chosen = Filters(ClientState, filters)
    _check_limit(limit)
    costly = detail or bool(chosen.columns & {"inbox_length", "holdings"})
    found: list[ClientState] = []
    with reading(address, timeout, strict=raise_on_missing_output) as reader:
        _collect(found, _clients(reader, costly=costly), chosen, limit, detail=detail)
    return found


def list_names(
    address: str | None = None, filters: Sequence[Filter] | None = None, limit: int = 100, timeout: float = 30
) -> list[NameState]:
    """List the names of all namespaces with who bears them. Arguments and errors are those of `list_actors`."""
    chosen = Filters(NameState, filters)
    _check_limit(limit)
    found: list[NameState] = []
    with reading(address, timeout) as reader:
        names = sorted(bearers(reader).items())
        rows = (NameState(name, namespace, actor) for (namespace, name), actor in names)
        _collect(found, rows, chosen, limit, detail=True)
    return found


def list_events(
    address: str | None = None,
    filters: Sequence[Filter] | None = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
) -> list[EventState]:
    """List what happened to actors, the latest first; of long ago nothing is known.

    Arguments and errors are those of `list_actors`.
    """
    chosen = Filters(EventState, filters)
    _check_limit(limit)
    found: list[EventState] = []
    with reading(address, timeout) as reader:
        _collect(found, events(reader), chosen, limit, detail=detail)
    return found


def list_dead_letters(
    address: str | None = None, filters: Sequence[Filter] | None = None, limit: int = 100, timeout: float = 30
) -> list[DeadLetterState]:
    """List the calls that were set aside, the latest first. Arguments and errors are those of `list_actors`."""
    chosen = Filters(DeadLetterState, filters)
    _check_limit(limit)
    found: list[DeadLetterState] = []
    with reading(address, timeout) as reader:
        _collect(found, itertools.starmap(described, letters(reader)), chosen, limit, detail=True)
    return found


def _check_id(given: str, kind: str, length: int) -> None:
    if not isinstance(given, str) or len(given) != length or not set(given) <= _HEX:
        raise ValueError(
            f"{given!r} is no {kind} id: one has {length} hexadecimal characters, as list_{kind}s() shows them"
        )


def _check_limit(limit: int) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise ValueError(f"limit is between 1 and {MOST}, not {limit!r}; filters find what lies beyond")


def _collect(found: list[Schema], states: Iterator[Schema], chosen: Filters, limit: int, *, detail: bool) -> None:
    for state in states:
        if chosen.match(state):
            if not detail:
                state.without_details()
            found.append(state)
            if len(found) == limit:
                return


def _node(record: NodeRecord) -> NodeState:
    return NodeState(
        node_id=record.id,
        node_name=record.hostname,
        state=record.state,
        pid=record.pid,
        actors=record.actors,
        resources_total=record.capacity,
        resources_available=record.room,
        host=record.host,
        heartbeat=record.beat,
        log_dir=record.log_dir,
    )


def _clients(reader: Reader, *, costly: bool) -> Iterator[ClientState]:
    records = reader.clients()
    for start in range(0, len(records), BATCH):
        states = [_client(record) for record in records[start : start + BATCH]]
        if costly:
            keys = reader.keys
            inboxes = reader.ask(*[("XLEN", keys.inbox(state.client_id)) for state in states])
            holdings = reader.ask(*[("SCARD", keys.holds(state.client_id)) for state in states])
            for state, inbox, held in zip(states, inboxes, holdings, strict=True):
                state.inbox_length, state.holdings = integer(inbox), integer(held)
        yield from states


def _client(record: ClientRecord) -> ClientState:
    return ClientState(
        client_id=record.id,
        kind=record.kind,
        state="GONE" if record.gone else "LEAVING" if record.leaving else "ALIVE",
        node_name=record.hostname,
        pid=record.pid,
        job_id=record.job_id,
        ray_namespace=record.namespace,
        actor_id=record.actor or None,
        node_id=record.node or None,
        host=record.host,
        heartbeat=record.beat,
    )
