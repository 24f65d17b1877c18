"""The session: which callboard this process belongs to. There is at most one at a time."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._client import Client
    from callboard._local import LocalCallboard
    from callboard._terminal import Terminal

_lock = threading.RLock()


class Session:
    """A client and, for a driver without an address, the callboard that was started for it."""

    def __init__(self, client: Client, local: LocalCallboard | None = None) -> None:
        self.client = client
        self.local = local
        #: Where the output of actors is shown, if anywhere.
        self.terminal: Terminal | None = None


_session: Session | None = None
#: Makes the session when it is first needed: automatic `init` in a driver, the worker's own client in a worker.
_make: Callable[[], Session] | None = None


def client() -> Client:
    """Return this process's client, joining a callboard first if none has been joined."""
    found = _session
    if found is None or found.client.closed:
        found = _begin()
    return found.client


def current() -> Session | None:
    """Return the session, if there is one."""
    return _session


def joined() -> Session | None:
    """Return the session that this process has by being a worker, even if it was not needed before, or by `init`."""
    return _begin() if _make is not None else _session


def use(make: Callable[[], Session]) -> None:
    """Say how a session is made when one is needed and `init` has not been called."""
    global _make  # noqa: PLW0603 - one per process, by nature
    _make = make


def begin(make: Callable[[], Session]) -> Session:
    """Make the session.

    Raises:
        RuntimeError: There is one already.
    """
    global _session  # noqa: PLW0603 - one per process, by nature
    with _lock:
        if _session is not None:
            raise RuntimeError(
                "init() was called although this process has joined a callboard already. Call shutdown() first, "
                "or pass "
                "ignore_reinit_error=True."
            )
        _session = make()
        return _session


def end() -> Session | None:
    """Forget the session and return it; None when there is none."""
    global _session
    with _lock:
        ended, _session = _session, None
        return ended


def _begin() -> Session:
    with _lock:
        if _session is not None and not _session.client.closed:
            return _session
        if _make is None:
            from callboard import _api  # noqa: PLC0415 - the API stands on this module

            _api.init()
        else:
            begin(_make)
        assert _session is not None
        return _session


def _forget_in_child() -> None:
    """After a fork: the connections belong to the parent; the child joins anew when it needs to."""
    global _session, _lock  # noqa: PLW0603 - one per process, by nature
    if _session is not None:
        _session.client.leave_to_parent()
    _session = None
    _lock = threading.RLock()
    atexit.unregister(end)


os.register_at_fork(after_in_child=_forget_in_child)
