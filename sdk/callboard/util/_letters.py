"""Reading dead letters, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from callboard.exceptions import RaySystemError
from callboard.util._reading import BATCH
from callboard.util._schemas import DeadLetterState
from callboard_broker.errors import MalformedEntryError
from callboard_broker.operations.letters import Letter
from callboard_broker.wire import entries, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callboard.util._reading import Reader


def letters(reader: Reader, last: str = "+", first: str = "-") -> Iterator[tuple[str, Letter]]:
    """Yield dead letters with their ids, the latest first.

    Raises:
        RaySystemError: An entry is not what callboard writes.
    """
    while True:
        (reply,) = reader.ask(("XREVRANGE", reader.keys.letters, last, first, "COUNT", BATCH))
        found = entries(reply)
        for entry, flat in found:
            try:
                yield entry.decode(), Letter.decode(fields(flat or []))
            except MalformedEntryError as error:
                raise RaySystemError(
                    f"the dead letter {entry.decode()} cannot be read: {error}. Look at it with "
                    f"`redis-cli XRANGE {reader.keys.letters.decode()} - +`"
                ) from error
        if len(found) < BATCH:
            return
        last = f"({found[-1][0].decode()}"


def described(identity: str, letter: Letter) -> DeadLetterState:
    """Return what is shown of a dead letter."""
    moment = datetime.fromtimestamp(int(identity.partition("-")[0]) / 1000, UTC)
    return DeadLetterState(
        letter_id=identity,
        time=moment.isoformat(timespec="milliseconds"),
        class_name=letter.class_name,
        method=letter.method,
        actor_id=letter.actor,
        call_id=letter.call,
        deliveries=letter.deliveries,
        cause=letter.cause,
        name=letter.name,
        size=len(letter.body),
    )
