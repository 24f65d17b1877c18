"""Cancelling calls."""

from __future__ import annotations

from typing import Any

from callboard._ref import ObjectRef


def cancel(ref: ObjectRef[Any], *, force: bool = False, recursive: bool = True) -> None:
    """Cancel a call; when this returns, its reference has an outcome: an earlier one, or `TaskCancelledError`.

    A call that waits never runs, and those behind it go on. A coroutine that runs gets `asyncio.CancelledError`; a
    plain method that runs is not interrupted, and what it returns is thrown away. A call that has its outcome keeps it.

    Args:
        ref: What the call returned, in the process that made the call.
        force: Not for actors; see the errors.
        recursive: Accepted for Ray's sake: calls made by the call are not cancelled.

    Raises:
        TypeError: What was given is no reference.
        ValueError: ``force=True``; or the reference is that of a put, or of a call that another process made.
    """
    del recursive
    if not isinstance(ref, ObjectRef):
        raise TypeError(f"cancel() takes a reference, not {ref!r}")
    if force:
        raise ValueError("force=True is not supported for actor tasks: callboard.kill(handle) ends the whole actor.")
    ref._client.require_open(ref)  # noqa: SLF001
    ref._client.cancel(ref)  # noqa: SLF001
