"""Errors that programs meet: Ray's names, each with when it is raised, and the broker's.

    RayError
    +-- BrokerError
    |   +-- BrokerUnreachableError
    |   +-- BrokerTooOldError
    |   +-- EvictionPolicyError
    |   +-- BrokerRefusedError
    |   +-- EmbeddedServerMissingError
    |   +-- EmbeddedServerFailedError
    |   +-- ClusterKeyMissingError
    |   +-- ClusterKeyInvalidError
    |   +-- ClusterKeyMismatchError
    |   +-- ClientGoneError
    +-- RayActorError
    |   +-- ActorDiedError
    |   +-- ActorUnavailableError
    +-- RayTaskError
    +-- TaskCancelledError
    +-- WorkerCrashedError
    +-- GetTimeoutError             (also a TimeoutError)
    +-- DeadlockError
    +-- ObjectLostError
    |   +-- OwnerDiedError
    |   +-- ObjectFreedError
    |   +-- ObjectFetchTimedOutError
    |   +-- ObjectReconstructionFailedError
    |   +-- ReferenceCountingAssertionError (also an AssertionError)
    +-- PendingCallsLimitExceeded
    +-- ActorAlreadyExistsError     (also a ValueError)
    +-- ActorHandleNotFoundError    (also a ValueError)
    +-- AsyncioActorExit
    +-- RaySystemError
    +-- RuntimeEnvSetupError
    +-- UserCodeException
    +-- NodeDiedError
    +-- ObjectStoreFullError
    +-- OutOfDiskError
    +-- OutOfMemoryError
    +-- LocalRayletDiedError
    +-- TaskUnschedulableError
    +-- ActorUnschedulableError
    +-- TaskPlacementGroupRemoved
    +-- ActorPlacementGroupRemoved
    +-- PlasmaObjectNotAvailable
    TypeError
    +-- ActorClassInheritanceException

What a method raises arrives as an instance of a class ``RayTaskError(X)``, made for its class X, so that ``except X``
and ``except RayTaskError`` both catch it.

All of them survive plain pickle and copy, whatever the user's exception in them demands of its constructor.
"""

from __future__ import annotations

from typing import Final

from callboard import _duals
from callboard_broker.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTooOldError,
    BrokerUnreachableError,
    ClientGoneError,
    ClusterKeyInvalidError,
    ClusterKeyMismatchError,
    ClusterKeyMissingError,
    EmbeddedServerFailedError,
    EmbeddedServerMissingError,
    EvictionPolicyError,
    RayError,
)

__all__ = [
    "ActorAlreadyExistsError",
    "ActorClassInheritanceException",
    "ActorDiedError",
    "ActorHandleNotFoundError",
    "ActorPlacementGroupRemoved",
    "ActorUnavailableError",
    "ActorUnschedulableError",
    "AsyncioActorExit",
    "BrokerError",
    "BrokerRefusedError",
    "BrokerTooOldError",
    "BrokerUnreachableError",
    "ClientGoneError",
    "ClusterKeyInvalidError",
    "ClusterKeyMismatchError",
    "ClusterKeyMissingError",
    "DeadlockError",
    "EmbeddedServerFailedError",
    "EmbeddedServerMissingError",
    "EvictionPolicyError",
    "GetTimeoutError",
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectFetchTimedOutError",
    "ObjectFreedError",
    "ObjectLostError",
    "ObjectReconstructionFailedError",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "OutOfMemoryError",
    "OwnerDiedError",
    "PendingCallsLimitExceeded",
    "PlasmaObjectNotAvailable",
    "RayActorError",
    "RayError",
    "RaySystemError",
    "RayTaskError",
    "ReferenceCountingAssertionError",
    "RuntimeEnvSetupError",
    "TaskCancelledError",
    "TaskPlacementGroupRemoved",
    "TaskUnschedulableError",
    "UserCodeException",
    "WorkerCrashedError",
]

_BASE_MESSAGE: Final = "The actor experienced an error before finishing this task."


class RayActorError(RayError):
    """Raised when an actor could not finish a call; always as one of the two classes below.

    Attributes:
        actor_id: 32 hexadecimal characters, or None when it is not known.
        error_msg: The whole text.
        actor_init_failed: Whether the actor's constructor raised; its traceback is in the text.
        preempted: Whether the node was taken away; callboard never knows, so it is False.
    """

    def __init__(
        self,
        actor_id: str | None = None,
        error_msg: str = _BASE_MESSAGE,
        actor_init_failed: bool = False,
        preempted: bool = False,
    ) -> None:
        super().__init__(actor_id, error_msg, actor_init_failed, preempted)
        self.actor_id = actor_id
        self.error_msg = error_msg
        self.actor_init_failed = actor_init_failed
        self.preempted = preempted

    def __str__(self) -> str:
        return self.error_msg


class ActorDiedError(RayActorError):
    """Raised when the actor is dead for good: it will not run this call, nor any other."""


class ActorUnavailableError(RayActorError):
    """Raised when the actor is away and may come back; the call may or may not have run, and is not tried again."""


class RayTaskError(RayError):
    """Raised when a method, or a remote function, raised; also an instance of what it raised, where that is possible.

    It is a plain `RayTaskError` when the cause could not be pickled, is one that Python itself acts on
    (`KeyboardInterrupt`, `SystemExit`), or is of a class that cannot be derived from.

    Attributes:
        function_name: What ran, as ``Class.method``.
        traceback_str: The whole text: where it ran, the user's frames, and what was raised.
        cause: What was raised, or a `RayError` saying why it is not here.
        pid: Process in which it ran.
        ip: Host on which it ran.
        actor_id: Actor that ran it; empty for a remote function.
    """

    def __init__(
        self,
        function_name: str,
        traceback_str: str,
        cause: BaseException,
        pid: int = 0,
        ip: str = "",
        actor_id: str = "",
    ) -> None:
        super().__init__(function_name, traceback_str, cause, pid, ip, actor_id)
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.cause = cause
        self.pid = pid
        self.ip = ip
        self.actor_id = actor_id

    def as_instanceof_cause(self) -> RayTaskError:
        """Return this error as one that is also an instance of its cause's class.

        Its ``args`` are ``(cause,)``, and attributes that it lacks are those of the cause. Where no such class can be
        made it is this error itself: nothing is raised.
        """
        found = _duals.instance(RayTaskError, self, self.cause)
        return self if found is None else found

    def __str__(self) -> str:
        return self.traceback_str

    def __reduce__(self) -> tuple[object, ...]:
        fields = (self.function_name, self.traceback_str, _duals.portable(self.cause), self.pid, self.ip, self.actor_id)
        added = {name: value for name, value in vars(self).items() if name not in _TASK_FIELDS}
        return _restored_task, (type(self), *fields), added or None


_TASK_FIELDS: Final = frozenset({"function_name", "traceback_str", "cause", "pid", "ip", "actor_id"})


def _restored_task(cls: type[RayTaskError], name: str, text: str, cause: object, *origin: object) -> RayTaskError:
    # Copying, unlike pickling, hands over the arguments of the reduction as they are.
    return cls(name, text, _duals.unwrapped(cause), *origin)  # type: ignore[arg-type]  # as `RayTaskError.__reduce__` made it


class DeadlockError(RayError):
    """Raised when a `get` in an actor waits for something that waits, perhaps over others, for the actor itself.

    Ray waits for ever.
    """


class TaskCancelledError(RayError):
    """Raised when the call was cancelled by `callboard.cancel`, before or while it ran.

    Attributes:
        task_id: The call, or None when it is not known.
        error_message: What else is to be said.
    """

    def __init__(self, task_id: str | None = None, error_message: str | None = None) -> None:
        super().__init__(task_id, error_message)
        self.task_id = task_id
        self.error_message = error_message

    def __str__(self) -> str:
        return " ".join(
            filter(None, [f"Task: {self.task_id} was cancelled." if self.task_id else "", self.error_message])
        )


class WorkerCrashedError(RayError):
    """Raised when the process that ran a remote function died and no retries are left."""


class GetTimeoutError(RayError, TimeoutError):
    """Raised when `callboard.get` was given a timeout and not all results came within it; the calls go on."""


class ObjectLostError(RayError):
    """Raised when a value can no longer be had: it is neither in this process nor in the broker."""


class OwnerDiedError(ObjectLostError):
    """Raised when the process that made the reference died before the value was there, or its values went with it."""


class PendingCallsLimitExceeded(RayError):  # noqa: N818 - Ray's name
    """Raised when a call would exceed the actor's ``max_pending_calls``; the call has not been made."""


class ActorAlreadyExistsError(ValueError, RayError):
    """Raised when an actor is created under a name that a living actor has in that namespace."""


class ActorHandleNotFoundError(ValueError, RayError):
    """Raised when a handle does not belong to the callboard that this process is connected to."""


class AsyncioActorExit(RayError):  # noqa: N818 - Ray's name
    """Raised when a coroutine of an actor calls `exit_actor`, to leave it; it reaches nobody but the actor."""


class RaySystemError(RayError):
    """Raised when callboard itself cannot go on with a value or an outcome, such as one that cannot be unpickled."""


class RuntimeEnvSetupError(RayError):
    """Raised when the ``runtime_env`` of an actor cannot be set up where the actor is to run."""


class UserCodeException(RayError):  # noqa: N818 - Ray's name
    """Raised when a program says so itself: callboard never raises it."""


class ActorClassInheritanceException(TypeError):  # noqa: N818 - Ray's name
    """Raised when a class derives from an actor class; derive from the plain class and make the result an actor."""


# What follows is never raised, as callboard lacks what would fail; programs that name it in an `except` still run.


class ObjectFreedError(ObjectLostError):
    """Raised when a value was freed by hand, which callboard does not offer: never."""


class ObjectFetchTimedOutError(ObjectLostError):
    """Raised when a copy is not found on any node, where callboard has them in the broker: never."""


class ObjectReconstructionFailedError(ObjectLostError):
    """Raised when a lost value cannot be computed again, which callboard never tries: never."""


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    """Raised when a value was deleted in spite of a reference, which here is an `ObjectLostError`: never."""


class NodeDiedError(RayError):
    """Raised when a node is lost, which here is an `ActorDiedError` that says so: never."""


class ObjectStoreFullError(RayError):
    """Raised when the object store is full, which here is a `BrokerRefusedError`: never."""


class OutOfDiskError(RayError):
    """Raised when values cannot be spilled to the disk, which callboard does not do: never."""


class OutOfMemoryError(RayError):
    """Raised when a memory monitor killed the worker, which here is an `ActorDiedError` naming the signal: never."""


class LocalRayletDiedError(RayError):
    """Raised when the local raylet died, which callboard does not have: never."""


class TaskUnschedulableError(RayError):
    """Raised when a remote function is bound to a node that is gone, which callboard does not offer: never."""


class ActorUnschedulableError(RayError):
    """Raised when an actor is bound to a node that is gone, which callboard does not offer: never."""


class TaskPlacementGroupRemoved(RayError):  # noqa: N818 - Ray's name
    """Raised when the placement group of a remote function is removed, which callboard does not have: never."""


class ActorPlacementGroupRemoved(RayError):  # noqa: N818 - Ray's name
    """Raised when the placement group of an actor is removed, which callboard does not have: never."""


class PlasmaObjectNotAvailable(RayError):  # noqa: N818 - Ray's name
    """Raised when the shared-memory store lacks a value, which callboard does not have: never."""
