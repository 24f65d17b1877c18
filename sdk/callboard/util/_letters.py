"""Reading dead letters, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard.exceptions import RaySystemError
from callboard.util._reading import moment_of
from callboard.util._schemas import DeadLetterState
from callboard_broker.errors import MalformedEntryError
from callboard_broker.operations.letters import Letter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callboard.util._reading import Reader


def letters(reader: Reader, last: str = "+", first: str = "-") -> Iterator[tuple[str, Letter]]:
    """Yield dead letters with their ids, the latest first.

    Raises:
        RaySystemError: An entry is not what callboard writes.
    """
    for entry, told in reader.backwards(reader.keys.letters, last, first):
        try:
            yield entry, Letter.decode(told)
        except MalformedEntryError as error:
            raise RaySystemError(
                f"the dead letter {entry} cannot be read: {error}. Look at it with "
                f"`redis-cli XRANGE {reader.keys.letters.decode()} - +`"
            ) from error


def described(identity: str, letter: Letter) -> DeadLetterState:
    """Return what is shown of a dead letter."""
    return DeadLetterState(
        letter_id=identity,
        time=moment_of(identity),
        class_name=letter.class_name,
        method=letter.method,
        actor_id=letter.actor,
        call_id=letter.call,
        deliveries=letter.deliveries,
        cause=letter.cause,
        name=letter.name,
        size=len(letter.body),
    )
