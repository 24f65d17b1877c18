"""Bodies of outcomes that no method made: the actor died, is unavailable, or the call was cancelled.

They are JSON, not pickles, so that a supervisor, which knows no class of any user, can write them, and anybody read
them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, Self

from callboard_broker import deaths
from callboard_broker.deaths import DeathCause

if TYPE_CHECKING:
    from callboard_broker.records import ActorRecord

_CAUSE: Final = frozenset(item.name for item in fields(DeathCause))

#: Why a call is unavailable that was submitted while its actor was restarting.
WAS_RESTARTING: Final = "the actor was restarting when the call was submitted"

#: Why a call is unavailable that came again after it had finished, when nothing is left of its outcome.
REPEATED: Final = (
    "it has run the call, but Redis was restarted with older data and has lost the outcome; look at what the actor has "
    "done before you call again"
)
#: Why a call is unavailable that was set aside.
SET_ASIDE: Final = (
    "its process died each of the {} times that the call ran (max_deliveries), so the call was set aside: "
    "`callboard dead show {}` tells about it"
)
#: Why a call is unavailable that was signed too long before it reached its mailbox.
TOO_OLD: Final = (
    "the call was signed more than an hour before it reached the actor, so it was refused as a replay; compare the "
    "clocks of the caller's host and the server's, and call again"
)


@dataclass(frozen=True, slots=True)
class Died:
    """What a call's caller is told about the actor's death.

    Attributes:
        actor_id: 32 hexadecimal characters.
        class_name: Class of the actor.
        pid: Last process that was the actor; 0 when there was none.
        name: Name of the actor, or the empty string.
        namespace: Where it had that name.
        cause: Why it is dead.
    """

    actor_id: str
    class_name: str
    pid: int
    name: str
    namespace: str
    cause: DeathCause

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return what `died` wrote.

        Raises:
            ValueError: It is something else.
        """
        found = _read(body)
        # The stored form leaves out what is empty, a message too.
        told = {"message": ""} | {name: found.pop(name) for name in _CAUSE & found.keys()}
        try:
            cause = DeathCause.from_json(json.dumps(told))
            return cls(**found, cause=cause)  # type: ignore[arg-type]  # `died` wrote it, and nobody can forge it
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a verdict of death: {error!r}") from error


def cause_of(record: ActorRecord) -> DeathCause:
    """Return why an actor that takes no more calls is dead, or is about to be."""
    known = DeathCause.from_json(record.death_cause)
    if known:
        # Whoever killed it does not know how far it was; from then on it does not get any further.
        return replace(known, never_started=not record.ever_started) if record.voided else known
    if record.sealed == deaths.SEALED_OUT_OF_SCOPE:
        return deaths.out_of_scope()
    if record.sealed in {deaths.SEALED_TERMINATE, deaths.SEALED_EXIT_ACTOR}:
        return deaths.intended_exit()
    if record.sealed == deaths.SEALED_OWNER_DIED:
        return deaths.owner_died(record.owner, "the owner has left")
    if record.sealed == deaths.SEALED_KILLED:
        return deaths.killed()
    return DeathCause(
        deaths.Reason.WORKER_DIED, "The actor is dead and its record is gone: it ended long ago, or never existed here."
    )


def died(record: ActorRecord, cause: DeathCause) -> bytes:
    """Return the body of an outcome whose actor is dead, for the status `callboard_broker.deaths.STATUS_DIED`."""
    whose = {
        "actor_id": record.actor_id,
        "class_name": record.class_name,
        "pid": record.pid,
        "name": record.name,
        "namespace": record.namespace,
    }
    return json.dumps(whose | json.loads(cause.to_json())).encode()


def unavailable(actor_id: str, why: str) -> bytes:
    """Return the body of an outcome whose actor may come back, for the status ``STATUS_UNAVAILABLE``.

    Args:
        actor_id: 32 hexadecimal characters.
        why: What happened, in words that follow "is unavailable:" and without a full stop.
    """
    return json.dumps({"actor_id": actor_id, "why": why}).encode()


def cancelled(call: str) -> bytes:
    """Return the body of the outcome of a call that was cancelled, for the status ``STATUS_CANCELLED``."""
    return json.dumps({"call": call}).encode()


def crashed(task: str, why: str) -> bytes:
    """Return the body of the outcome of a task whose workers died, for the status ``STATUS_CRASHED``.

    Args:
        task: Name of the function.
        why: How the last one ended, in words and without a full stop.
    """
    return json.dumps({"task": task, "why": why}).encode()


def read_unavailable(body: bytes) -> tuple[str, str]:
    """Return the actor's id and the reason that `unavailable` wrote.

    Raises:
        ValueError: It is something else.
    """
    return _text(body, "actor_id"), _text(body, "why")


def read_cancelled(body: bytes) -> str:
    """Return the call that `cancelled` wrote.

    Raises:
        ValueError: It is something else.
    """
    return _text(body, "call")


def read_crashed(body: bytes) -> tuple[str, str]:
    """Return the function's name and the reason that `crashed` wrote.

    Raises:
        ValueError: It is something else.
    """
    return _text(body, "task"), _text(body, "why")


def _read(body: bytes) -> dict[str, object]:
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"a verdict is a JSON object, not {type(found).__name__}")  # noqa: TRY004 - of data, not of code
    return found


def _text(body: bytes, name: str) -> str:
    value = _read(body).get(name)
    if not isinstance(value, str):
        raise ValueError(f"the verdict lacks the text {name!r}")  # noqa: TRY004 - of data, not of code
    return value
