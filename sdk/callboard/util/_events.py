"""Reading what happened: the stream of events, newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from callboard.exceptions import RaySystemError
from callboard.util._reading import moment_of
from callboard.util._schemas import EventState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callboard.util._reading import Reader


def events(reader: Reader) -> Iterator[EventState]:
    """Yield what happened, the latest first; what happens meanwhile is not among it.

    Raises:
        RaySystemError: An entry is not what callboard writes.
    """
    for entry, told in reader.backwards(reader.keys.events):
        try:
            yield _event(entry, {name: value.decode() for name, value in told.items()})
        except ValueError as error:
            raise RaySystemError(
                f"the event {entry} cannot be read: {error}. Look at it with "
                f"`redis-cli XRANGE {reader.keys.events.decode()}`"
            ) from error


def _event(entry: str, told: dict[str, str]) -> EventState:
    cause: dict[str, Any] = json.loads(told.get("cause") or "{}")
    return EventState(
        time=moment_of(entry),
        event=told.get("event", ""),
        actor_id=told.get("actor", ""),
        node_id=told.get("node") or None,
        reason=told.get("reason") or cause.get("reason"),
        message=cause.get("message"),
        incarnation=int(told["incarnation"]) if "incarnation" in told else None,
        event_id=entry,
    )
