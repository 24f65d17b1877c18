"""Faults of the server: killed, put back, full, forgetful, and its connections cut."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

import redis
from chaos.nemesis.fault import Fault
from chaos.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.theatre import Theatre

__all__ = ["BLACKOUT", "CUT", "FORGOTTEN", "FULL_DISK", "FULL_MEMORY", "KILLED", "PUT_BACK"]

#: Seconds in which a limit must have had its effect.
_EFFECT: Final = 10.0


@contextlib.contextmanager
def _killed(theatre: Theatre) -> Iterator[int]:
    """Kill the server; it starts again on what it has written when this heals."""
    theatre.server.kill()
    try:
        yield 1
    finally:
        theatre.server.start()


@contextlib.contextmanager
def _put_back(theatre: Theatre) -> Iterator[int]:
    """Copy the server's files, kill it a while later, and start it on the copy."""
    theatre.server.keep_copy()
    threading.Event().wait(theatre.chance.uniform(0.2, 2.0))
    theatre.server.kill()
    theatre.server.put_back()
    try:
        yield 1
    finally:
        theatre.server.start()


@contextlib.contextmanager
def _connections_cut(theatre: Theatre) -> Iterator[int]:
    yield theatre.cut_connections()


@contextlib.contextmanager
def _no_connections(theatre: Theatre) -> Iterator[int]:
    """Cut all connections, and let hardly any in."""
    theatre.redis.config_set("maxclients", 3)
    try:
        yield theatre.cut_connections()
    finally:
        theatre.redis.config_set("maxclients", 10000)


@contextlib.contextmanager
def _scripts_flushed(theatre: Theatre) -> Iterator[int]:
    known = theatre.redis.info("memory").get("number_of_cached_scripts", 0)
    theatre.redis.script_flush()
    yield int(known)


@contextlib.contextmanager
def _memory_full(theatre: Theatre) -> Iterator[int]:
    theatre.redis.config_set("maxmemory", 1)
    try:
        yield int(_refuses(theatre, "command not allowed"))
    finally:
        theatre.redis.config_set("maxmemory", 0)


@contextlib.contextmanager
def _disk_full(theatre: Theatre) -> Iterator[int]:
    theatre.server.limit_files()
    try:
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: _refuses(theatre, "MISCONF"), what="the disk to be full", timeout=_EFFECT)
        yield int(_refuses(theatre, "MISCONF"))
    finally:
        theatre.server.free_files()
        wait_until(lambda: not _refuses(theatre, "MISCONF"), what="the server to write again", timeout=_EFFECT)


def _refuses(theatre: Theatre, word: str) -> bool:
    """Tell whether the server refuses to write for such a reason."""
    try:
        theatre.redis.set("chaos", "", px=1)
    except redis.exceptions.ResponseError as error:
        return str(error).startswith(word)
    return False


KILLED: Final = (Fault("server killed", _killed, (0.0, 1.0)),)
PUT_BACK: Final = (Fault("server put back", _put_back, (0.0, 0.5)),)
CUT: Final = (Fault("connections cut", _connections_cut), Fault("no connections", _no_connections, (0.1, 1.0)))
FORGOTTEN: Final = (Fault("scripts flushed", _scripts_flushed),)
FULL_MEMORY: Final = (Fault("memory full", _memory_full, (0.1, 1.0)),)
FULL_DISK: Final = (Fault("disk full", _disk_full, (0.1, 1.5)),)
BLACKOUT: Final = (Fault("blackout", _killed, (5.0, 5.0)),)
