"""Reading what happened: the stream of events, newest first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from callboard.exceptions import RaySystemError
from callboard.util._reading import BATCH
from callboard.util._schemas import EventState
from callboard_broker.wire import entries, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callboard.util._reading import Reader


def events(reader: Reader) -> Iterator[EventState]:
    """Yield what happened, the latest first; what happens meanwhile is not among it.

    Raises:
        RaySystemError: An entry is not what callboard writes.
    """
    end = "+"
    while True:
        (reply,) = reader.ask(("XREVRANGE", reader.keys.events, end, "-", "COUNT", BATCH))
        found = entries(reply)
        for entry, flat in found:
            try:
                yield _event(entry.decode(), {name: value.decode() for name, value in fields(flat or []).items()})
            except ValueError as error:
                raise RaySystemError(
                    f"the event {entry.decode()} cannot be read: {error}. Look at it with "
                    f"`redis-cli XRANGE {reader.keys.events.decode()}`"
                ) from error
        if len(found) < BATCH:
            return
        end = f"({found[-1][0].decode()}"


def _event(entry: str, told: dict[str, str]) -> EventState:
    cause: dict[str, Any] = json.loads(told.get("cause") or "{}")
    moment = datetime.fromtimestamp(int(entry.partition("-")[0]) / 1000, UTC)
    return EventState(
        time=moment.isoformat(timespec="milliseconds"),
        event=told.get("event", ""),
        actor_id=told.get("actor", ""),
        node_id=told.get("node") or None,
        reason=told.get("reason") or cause.get("reason"),
        message=cause.get("message"),
        incarnation=int(told["incarnation"]) if "incarnation" in told else None,
        event_id=entry,
    )
