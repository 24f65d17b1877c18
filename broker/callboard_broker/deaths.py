"""Why actors die, in data that is stored, shown and turned into errors: reasons, sentences, and their JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Final, Self


class Reason(StrEnum):
    """Reasons of death, under the names that Ray gives them where it has one."""

    RAY_KILL = "RAY_KILL"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    WORKER_DIED = "WORKER_DIED"
    OWNER_DIED = "OWNER_DIED"
    NODE_DIED = "NODE_DIED"
    CREATION_FAILED = "CREATION_FAILED"
    GRACEFUL_TIMEOUT = "GRACEFUL_TIMEOUT"


class ExitType(StrEnum):
    """How a worker process came to its end, under Ray's names."""

    INTENDED_USER_EXIT = "INTENDED_USER_EXIT"
    INTENDED_SYSTEM_EXIT = "INTENDED_SYSTEM_EXIT"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    USER_ERROR = "USER_ERROR"
    NONE = ""


#: Values of the record's ``sealed`` field: why nobody can post to the mailbox any more.
SEALED_OUT_OF_SCOPE: Final = "out_of_scope"
SEALED_TERMINATE: Final = "terminate"
SEALED_EXIT_ACTOR: Final = "exit_actor"
SEALED_OWNER_DIED: Final = "owner_died"
SEALED_KILLED: Final = "killed"
SEALED_DIED: Final = "died"

#: Statuses of outcomes. Results and errors have a pickled body, or the stub of one in a segment; the others have JSON.
STATUS_OK: Final = b"ok"
STATUS_SEGMENT: Final = b"segment"
STATUS_ERROR: Final = b"error"
STATUS_DIED: Final = b"died"
STATUS_UNAVAILABLE: Final = b"unavailable"
STATUS_CANCELLED: Final = b"cancelled"
STATUS_CRASHED: Final = b"crashed"
#: Not an outcome: the worker that may have had a cancelled call in hand will not start it.
STATUS_HEARD: Final = b"heard"
#: Nor this: the worker that has the call cannot open the segment with its arguments.
STATUS_WANTED: Final = b"wanted"

SENTENCES: Final = {
    Reason.RAY_KILL: "The actor is dead because it was killed by `callboard.kill`.",
    Reason.OUT_OF_SCOPE: "The actor is dead because all references to the actor were removed.",
}


@dataclass(frozen=True, slots=True)
class DeathCause:
    """Why an actor is dead.

    Attributes:
        reason: The category.
        message: A sentence for people.
        exit_type: How the process ended, where that says more than the reason.
        never_started: Whether its constructor never completed.
        traceback: For `Reason.CREATION_FAILED`: what the constructor raised.
        owner: For `Reason.OWNER_DIED`: the owner's client id.
    """

    reason: Reason
    message: str
    exit_type: ExitType = ExitType.NONE
    never_started: bool = False
    traceback: str = ""
    owner: str = ""

    def to_json(self) -> str:
        """Return the stored form: empty fields are left out."""
        return json.dumps({name: value for name, value in asdict(self).items() if value or name == "message"})

    @classmethod
    def from_json(cls, stored: str) -> Self | None:
        """Return the cause that was stored, or None for the empty string.

        Raises:
            ValueError: It is not what `to_json` makes.
        """
        if not stored:
            return None
        found = json.loads(stored)
        known = {field.name for field in fields(cls)}
        if not isinstance(found, dict) or not set(found) <= known:
            raise ValueError(f"not a death cause: {stored!r}")
        return cls(**{**found, "reason": Reason(found["reason"]), "exit_type": ExitType(found.get("exit_type", ""))})


def intended_exit() -> DeathCause:
    """Return the cause of an actor that left by ``exit_actor()`` or ``__ray_terminate__``."""
    return DeathCause(
        Reason.WORKER_DIED,
        "The actor is dead because its worker process has died. Worker exit type: INTENDED_USER_EXIT "
        "Worker exit detail: Worker exits by a user request. exit_actor() is called.",
        ExitType.INTENDED_USER_EXIT,
    )


def out_of_scope() -> DeathCause:
    """Return the cause of an actor whose last handle went."""
    return DeathCause(Reason.OUT_OF_SCOPE, SENTENCES[Reason.OUT_OF_SCOPE])


def killed() -> DeathCause:
    """Return the cause of a killed actor."""
    return DeathCause(Reason.RAY_KILL, SENTENCES[Reason.RAY_KILL])


def worker_died(exit_words: str, *, used: int, allowed: int) -> DeathCause:
    """Return the cause of an actor whose process died and that may not be restarted.

    Args:
        exit_words: Exit code or signal, in words.
        used: Restarts used.
        allowed: ``max_restarts``.
    """
    return DeathCause(
        Reason.WORKER_DIED,
        "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR "
        f"Worker exit detail: Worker exits unexpectedly with {exit_words}. {_spent(used, allowed)}",
        ExitType.SYSTEM_ERROR,
    )


def node_died(node: str, *, used: int, allowed: int) -> DeathCause:
    """Return the cause of an actor whose node is lost and that may not be restarted.

    Args:
        node: Its node.
        used: Restarts used.
        allowed: ``max_restarts``.
    """
    return DeathCause(
        Reason.NODE_DIED,
        f"The actor is dead because its node has died: node {node} has shown no heartbeat. {_spent(used, allowed)}",
    )


def _spent(used: int, allowed: int) -> str:
    return f"Restarts are used up: {used} of {allowed}." if allowed else "max_restarts=0: no restart is allowed."


def owner_died(owner: str, how: str) -> DeathCause:
    """Return the cause of an actor that died with its owner.

    Args:
        owner: Client id of the owner.
        how: How the owner ended, in words.
    """
    return DeathCause(
        Reason.OWNER_DIED,
        f"The actor is dead because its owner has died. Owner Id: {owner} Owner exit detail: {how}.",
        owner=owner,
    )


def creation_failed(traceback: str) -> DeathCause:
    """Return the cause of an actor whose constructor raised."""
    return DeathCause(
        Reason.CREATION_FAILED,
        "The actor died because of an error raised in its creation task.",
        ExitType.USER_ERROR,
        never_started=True,
        traceback=traceback,
    )


def graceful_timeout(seconds: float) -> DeathCause:
    """Return the cause of an actor that took too long over its end."""
    return DeathCause(
        Reason.GRACEFUL_TIMEOUT,
        f"The actor is dead because its graceful end took longer than {seconds:g} s and it was killed.",
        ExitType.INTENDED_SYSTEM_EXIT,
    )
