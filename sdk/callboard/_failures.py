"""Between outcomes and errors: what a worker writes when a method raised, and what a caller raises for it.

An exception travels as a tuple of plain data with the exception itself, pickled on its own, inside. So whatever the
exception does when it is unpickled, or when its class is not importable at the caller, the text always arrives.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import callboard_broker
from callboard import _duals, _serde
from callboard._parked import Parked
from callboard.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ObjectLostError,
    RayError,
    RaySystemError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)
from callboard_broker import verdicts
from callboard_broker.deaths import STATUS_CANCELLED, STATUS_CRASHED, STATUS_DIED, STATUS_UNAVAILABLE, Reason

if TYPE_CHECKING:
    from callboard._serde import Parcel

_OURS: Final = tuple(str(Path(str(file)).parent) + os.sep for file in (__file__, callboard_broker.__file__))
_HEADER: Final = "Traceback (most recent call last):\n"
#: Characters of a cause's ``repr`` that are shown when the cause itself cannot travel.
_SHOWN: Final = 1000


class _Raised(NamedTuple):
    """What an outcome with the status ``error`` holds; a plain tuple on its way.

    Attributes:
        cause: The exception, pickled on its own; None when it cannot be, or would not survive it.
        why: Why there is no cause.
        text: What `RayTaskError` shows.
        class_name: The cause's class, with its module.
        function: What ran.
        pid: Where it ran.
        host: Where it ran.
        actor_id: What it ran on; empty for a remote function.
    """

    cause: bytes | None
    why: str
    text: str
    class_name: str
    function: str
    pid: int
    host: str
    actor_id: str


def remote_text(error: BaseException, *, function: str, actor_id: str, pid: int, host: str, shown: str) -> str:
    """Return where an exception was raised and how, with the user's frames only.

    Args:
        error: The exception.
        function: What ran, as ``Class.method``.
        actor_id: What it ran on; empty for a remote function.
        pid: Of this process.
        host: Address or name of this host.
        shown: ``repr`` of the actor.
    """
    actor = f", actor_id={actor_id}, repr={shown}" if actor_id else ""
    place = f"callboard::{function}() (pid={pid}, ip={host}{actor})\n"
    return (place + _formatted(error).removeprefix(_HEADER)).rstrip("\n")


def exception_parcel(error: BaseException, *, function: str, actor_id: str, pid: int, host: str, shown: str) -> Parcel:
    """Pack what a method raised, together with the handles and references that it carries.

    Of a `RayTaskError`, which is what reading the reference of a failed call raised, the cause is what travels, so that
    the outer caller can catch it by its class too; the texts are chained.

    Args:
        error: The exception.
        function: What ran, as ``Class.method``.
        actor_id: What it ran on; empty for a remote function.
        pid: Of this process.
        host: Address or name of this host.
        shown: ``repr`` of the actor.

    Returns:
        A parcel whose body is that of an outcome with the status ``STATUS_ERROR``. Nothing is raised for exceptions
        that cannot be pickled: their text travels.
    """
    cause = error.cause if isinstance(error, RayTaskError) else error
    text = remote_text(error, function=function, actor_id=actor_id, pid=pid, host=host, shown=shown)
    inner, why = _packed_cause(cause)
    raised = _Raised(inner.body if inner else None, why, text, _class_name(cause), function, pid, host, actor_id)
    parcel = _serde.pack(tuple(raised))
    if inner:
        parcel.actors.update(inner.actors)
        parcel.refs.update(inner.refs)
    return parcel


def pack_exception(error: BaseException, *, function: str, actor_id: str, pid: int, host: str, shown: str) -> bytes:
    """Return the body of `exception_parcel` alone, for exceptions that carry nothing or need not keep it alive."""
    return exception_parcel(error, function=function, actor_id=actor_id, pid=pid, host=host, shown=shown).body


def from_task(body: bytes) -> RayTaskError:
    """Return the error of an outcome with the status ``STATUS_ERROR``.

    It is an instance of the cause's class where that can be; where the class cannot be loaded in this process, the text
    says so and why, and where the exception could not be pickled, ``cause`` does.
    """
    raised = _Raised(*_serde.unpack(body))
    text = raised.text
    if raised.cause is None:
        cause: BaseException = RayError(f"Exception {raised.class_name} isn't serializable: {raised.why}")
    else:
        try:
            cause = _duals.unwrapped(_serde.unpack(raised.cause))
        except Exception as error:  # noqa: BLE001 - the user's hooks may raise anything
            cause = RayError(f"Exception {raised.class_name} could not be loaded in this process: {_lacking(error)}")
            text = f"{text}\n\n{cause}"
    task = RayTaskError(raised.function, text, cause, raised.pid, raised.host, raised.actor_id)
    return task.as_instanceof_cause()


def from_json(status: bytes, body: bytes) -> RayError:
    """Return the error of an outcome that no method made.

    Args:
        status: One of ``STATUS_DIED``, ``STATUS_UNAVAILABLE``, ``STATUS_CANCELLED`` and ``STATUS_CRASHED``.
        body: What `callboard_broker.verdicts` wrote. What cannot be read gives a `RaySystemError`.
    """
    try:
        if status == STATUS_DIED:
            return _died(verdicts.Died.read(body))
        if status == STATUS_UNAVAILABLE:
            return _unavailable(*verdicts.read_unavailable(body))
        if status == STATUS_CANCELLED:
            return TaskCancelledError(verdicts.read_cancelled(body))
        if status == STATUS_CRASHED:
            return _crashed(*verdicts.read_crashed(body))
        problem = "its status is unknown"
    except ValueError as error:
        problem = str(error)
    return RaySystemError(
        f"an outcome with status {status.decode(errors='replace')!r} cannot be read: {problem}. "
        "Run the same version of callboard in drivers, workers and supervisors."
    )


def unpacked(body: bytes | Parked) -> Any:
    """Unpickle a value that arrived.

    Raises:
        ObjectLostError: The segment in which it came is gone.
        RaySystemError: It cannot be unpickled in this process; the original error is its ``__cause__``.
    """
    try:
        return body.load() if isinstance(body, Parked) else _serde.unpack(body)
    except ObjectLostError:
        raise
    except Exception as error:
        size = _serde.length(body.stub) if isinstance(body, Parked) else len(body)
        raise RaySystemError(f"a value of {size} bytes cannot be loaded in this process: {_lacking(error)}") from error


def _died(verdict: verdicts.Died) -> ActorDiedError:
    cause = verdict.cause
    if cause.reason is Reason.CREATION_FAILED:
        told = f"The actor died because of an error raised in its creation task, {cause.traceback or cause.message}"
        return ActorDiedError(verdict.actor_id, told, actor_init_failed=True)
    known = {
        "class_name": verdict.class_name,
        "actor_id": verdict.actor_id,
        "pid": verdict.pid,
        "name": verdict.name,
        "namespace": verdict.namespace,
    }
    lines = [
        "The actor died unexpectedly before finishing this task.",
        *(f"\t{name}: {value}" for name, value in known.items() if value),
        cause.message,
    ]
    if cause.never_started:
        lines.append("The actor never ran - it was cancelled before it started running.")
    return ActorDiedError(verdict.actor_id, "\n".join(lines))


def _unavailable(actor_id: str, why: str) -> ActorUnavailableError:
    return ActorUnavailableError(
        actor_id,
        f"The actor {actor_id} is unavailable: {why}. The task may or may not have been executed on the actor.",
    )


def _crashed(task: str, why: str) -> WorkerCrashedError:
    return WorkerCrashedError(
        f"The worker died unexpectedly while executing this task ({task}): {why}. It may or may not have had an effect."
    )


def _packed_cause(cause: BaseException) -> tuple[Parcel | None, str]:
    # The constructor and the hooks of an exception are the user's and may raise anything.
    try:
        parcel = _serde.pack(_duals.portable(cause))
        _duals.unwrapped(_serde.unpack(parcel.body))
    except Exception as error:  # noqa: BLE001
        return None, f"{_told(error)}. It was: {_repr(cause)}"
    return parcel, ""


def _lacking(error: Exception) -> str:
    cure = "Whatever it needs when it is unpickled must work here too."
    if isinstance(error, ImportError | AttributeError):
        cure = (
            "Make the module that defines it importable here, in the same version: install it, or put its folder on "
            "PYTHONPATH; for an actor, name that folder as working_dir of its runtime_env."
        )
    return f"{_told(error)}. {cure}"


def _formatted(error: BaseException) -> str:
    # Formatting runs code of the user's: properties, metaclasses, source loaders.
    try:
        told = traceback.TracebackException.from_exception(error)
        _keep_users_frames(told)
        return "".join(told.format())
    except Exception as failure:  # noqa: BLE001
        return f"{_class_name(error)} (its traceback cannot be shown: {type(failure).__name__})"


def _keep_users_frames(told: traceback.TracebackException) -> None:
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        part = waiting.pop()
        if part is not None:
            part.stack = traceback.StackSummary.from_list(
                [frame for frame in part.stack if not frame.filename.startswith(_OURS)]
            )
            waiting += (part.__cause__, part.__context__, *(part.exceptions or ()))


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip().rstrip(".")


def _repr(error: BaseException) -> str:
    try:
        return repr(error)[:_SHOWN]
    except Exception:  # noqa: BLE001 - the user's method may raise anything
        return f"<{_class_name(error)}, whose repr fails>"
