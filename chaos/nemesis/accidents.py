"""Accidents of operators: keys deleted, renamed, emptied, and overwritten by something of another type."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from chaos.nemesis.fault import Fault
from chaos.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.nemesis.fault import Strike
    from chaos.theatre import Theatre

__all__ = ["ACCIDENTS"]

#: Seconds in which whoever is no member any more must have noticed and left.
_GONE: Final = 20.0
_DELETED: Final = ("DEL", "{}")
_EMPTIED: Final = ("XTRIM", "{}", "MAXLEN", "0")
_RENAMED: Final = ("RENAME", "{}", "{}:elsewhere")
_OVERWRITTEN: Final = ("SET", "{}", "nonsense")


def _do(theatre: Theatre, accident: tuple[str, ...], key: str) -> None:
    theatre.redis.execute_command(*[word.format(key) for word in accident])  # type: ignore[no-untyped-call]


def _to_part(part: str, accident: tuple[str, ...]) -> Strike:
    """Have an accident happen to a key of an actor that everybody goes on with."""

    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        record = theatre.chance.choice(sorted(theatre.actors().values(), key=lambda record: record["name"]))
        key = f"cb:{{0}}:actor:{record['actor_id']}:{part}"
        if accident == _RENAMED:
            wait_until(lambda: theatre.redis.exists(key), what=f"{key} to be there", timeout=_GONE)
        _do(theatre, accident, key)
        yield 1
        theatre.redis.delete(f"{key}:elsewhere")

    return strike


def _to_record(accident: tuple[str, ...]) -> Strike:
    """Have one happen to an actor's record: its process must leave, and another actor takes its place."""

    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        record = theatre.chance.choice(sorted(theatre.actors().values(), key=lambda record: record["name"]))
        actor, pid = record["actor_id"], int(record["pid"])
        _do(theatre, accident, f"cb:{{0}}:actor:{actor}")
        left = f"the process of actor {actor} to leave, whose record is gone"
        wait_until(lambda: pid not in {worker.pid for worker in theatre.workers()}, what=left, timeout=_GONE)
        yield 1
        theatre.forget_actor(actor)
        theatre.restore()

    return strike


def _to_inbox(accident: tuple[str, ...]) -> Strike:
    """Have one happen to a caller's inbox: it must be told, and another caller takes its place."""

    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        before = len(theatre.callers())
        _do(theatre, accident, theatre.chance.choice(theatre.inboxes()))
        wait_until(lambda: len(theatre.callers()) < before, what="a caller without an inbox to leave", timeout=_GONE)
        yield 1
        theatre.restore()

    return strike


@contextlib.contextmanager
def _everything_deleted(theatre: Theatre) -> Iterator[int]:
    """Delete all keys: callers, supervisors and workers must notice and leave, and a new callboard begins."""
    theatre.redis.flushdb()
    wait_until(lambda: not theatre.callers(), what="callers to leave that are no members", timeout=_GONE)
    wait_until(lambda: not any(node.runs for node in theatre.nodes), what="supervisors to leave", timeout=_GONE)
    wait_until(lambda: not theatre.workers(), what="workers to leave that are no actors", timeout=_GONE)
    yield 1
    theatre.restore()


ACCIDENTS: Final = (
    Fault("mailbox deleted", _to_part("mailbox", _DELETED)),
    Fault("mailbox emptied", _to_part("mailbox", _EMPTIED)),
    Fault("mailbox renamed", _to_part("mailbox", _RENAMED)),
    Fault("mailbox overwritten", _to_part("mailbox", _OVERWRITTEN)),
    Fault("control deleted", _to_part("control", _DELETED)),
    Fault("control overwritten", _to_part("control", _OVERWRITTEN)),
    Fault("ledger overwritten", _to_part("seen", _OVERWRITTEN)),
    Fault("record deleted", _to_record(_DELETED)),
    Fault("record overwritten", _to_record(_OVERWRITTEN)),
    Fault("inbox deleted", _to_inbox(_DELETED)),
    Fault("inbox overwritten", _to_inbox(_OVERWRITTEN)),
    Fault("everything deleted", _everything_deleted),
)
