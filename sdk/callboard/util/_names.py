"""Lists of the names that actors bear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from callboard import _session
from callboard.util._reading import BATCH, reading
from callboard_broker.records import State
from callboard_broker.wire import items

if TYPE_CHECKING:
    from callboard.util._reading import Reader


@overload
def list_named_actors(all_namespaces: Literal[False] = False) -> list[str]: ...
@overload
def list_named_actors(all_namespaces: Literal[True]) -> list[dict[str, str]]: ...
@overload
def list_named_actors(all_namespaces: bool) -> list[str] | list[dict[str, str]]: ...
def list_named_actors(all_namespaces: bool = False) -> list[str] | list[dict[str, str]]:
    """List the names that `get_actor` finds, sorted.

    The names of dead and killed actors are not among them; a name that is taken or freed meanwhile may be.

    Args:
        all_namespaces: List those of all namespaces, not only of the one that this process is in.

    Returns:
        Names; with ``all_namespaces`` dictionaries with ``name`` and ``namespace``.

    Raises:
        BrokerUnreachableError: The server does not answer.
    """
    here = _session.client().identity.namespace
    with reading() as reader:
        found = bearers(reader)
    if all_namespaces:
        return [{"name": name, "namespace": namespace} for namespace, name in sorted(found)]
    return sorted(name for namespace, name in found if namespace == here)


def bearers(reader: Reader) -> dict[tuple[str, str], str]:
    """Return the actor that bears each name, by namespace and name."""
    keys = reader.keys
    living, _ = reader.actor_ids()
    claims: list[tuple[str, tuple[str, str]]] = []
    for start in range(0, len(living), BATCH):
        part = living[start : start + BATCH]
        read = [("HMGET", keys.actor(actor), "namespace", "name", "state", "voided") for actor in part]
        for actor, reply in zip(part, reader.ask(*read), strict=True):
            namespace, name, state, voided = ((value or b"").decode() for value in items(reply))  # type: ignore[union-attr] # bulk strings
            if name and state not in {"", State.DEAD} and voided != "1":
                claims.append((actor, (namespace, name)))
    found: dict[tuple[str, str], str] = {}
    for start in range(0, len(claims), BATCH):
        chosen = claims[start : start + BATCH]
        owners = reader.ask(*[("GET", keys.name(*claim)) for _, claim in chosen])
        # An actor is written down before it claims its name, so two may have the name in their records for a moment.
        found.update(
            {claim: actor for (actor, claim), owner in zip(chosen, owners, strict=True) if owner == actor.encode()}
        )
    return found
