"""Cancelling calls."""

from __future__ import annotations

from typing import Any

from callboard._ref import ObjectRef
from callboard._stream import ObjectRefGenerator


def cancel(ref: ObjectRef[Any] | ObjectRefGenerator[Any], *, force: bool = False, recursive: bool = True) -> None:
    """Cancel a call; when this returns, its reference has an outcome: an earlier one, or `TaskCancelledError`.

    A call that waits never runs, and those behind it go on; this waits, a second at most, for the worker to say so when
    it may have the call in hand. A coroutine that runs gets `asyncio.CancelledError`; a plain method that runs is not
    interrupted, and what it returns is thrown away. A remote function that runs is interrupted by `KeyboardInterrupt`.
    A call that has its outcome keeps it. ``__ray_terminate__`` is not taken back: its actor takes no more calls.

    Args:
        ref: What the call returned, in the process that made the call. A generator ends with a reference that has the
            error, after the items that had come.
        force: Kill the worker of a remote function that runs. Not for actors; see the errors.
        recursive: Cancel what the call has called, too, and so on, if it runs; not what is called after that.

    Raises:
        TypeError: What was given is no reference.
        ValueError: ``force=True`` for a call of an actor; or the reference is that of a put, or of a call that
            another process made.
    """
    if not isinstance(ref, ObjectRef | ObjectRefGenerator):
        raise TypeError(f"cancel() takes a reference, not {ref!r}")
    client, result = ref._client, ref._result  # noqa: SLF001
    client.require_open(ref)
    if force and not result.forcible:
        raise ValueError("force=True is not supported for actor tasks: callboard.kill(handle) ends the whole actor.")
    if result.done:
        return
    if not client.withdrawals.cancel(ref._id.encode(), result, force=force, recursive=recursive):  # noqa: SLF001
        raise ValueError(f"{ref!r} is not of a call that this process made: cancel it where it was called")
