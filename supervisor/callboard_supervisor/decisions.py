"""What to do with an actor: pure functions of its record, of how its process ended, and of what has been before.

No clock, no randomness, no Redis: times and chances are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import tenacity

from callboard_broker import deaths, verdicts
from callboard_broker.deaths import SEALED_OWNER_DIED, DeathCause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callboard_broker.envelope import Call
    from callboard_broker.records import ActorRecord

#: Seconds that an incarnation must have lived for its crash to count as a first one.
STABLE: Final = 1.0
_spacing: Final = tenacity.wait_exponential(multiplier=0.05, max=30.0)


@dataclass(frozen=True, slots=True)
class Ended:
    """How an incarnation ended.

    Attributes:
        words: Exit code or signal, in words; the process's own last words where it left any.
        timed_out: Killed because its graceful end took too long.
        graceful_timeout: Seconds that it had.
        node_lost: Nobody knows how it ended: its node is gone.
    """

    words: str
    timed_out: bool = False
    graceful_timeout: float = 0.0
    node_lost: bool = False


def death_of(record: ActorRecord, ended: Ended) -> DeathCause | None:
    """Return why an actor is dead now that its process has ended; None when it is to be restarted."""
    cause: DeathCause | None
    if record.voided:
        cause = verdicts.cause_of(record)
    elif not (record.shutdown_started or record.sealed == SEALED_OWNER_DIED) and record.may_restart:
        # Also when its hook took too long after a crash of the gentle kind, such as `sys.exit(1)`.
        return None
    elif ended.timed_out:
        cause = deaths.graceful_timeout(ended.graceful_timeout)
    elif record.shutdown_started or record.sealed == SEALED_OWNER_DIED:
        cause = verdicts.cause_of(record)
    elif ended.node_lost:
        cause = deaths.node_died(record.node, used=record.num_restarts, allowed=record.max_restarts)
    else:
        cause = deaths.worker_died(ended.words, used=record.num_restarts, allowed=record.max_restarts)
    return replace(cause, never_started=not record.ever_started)


def need_not_start(record: ActorRecord, waiting: int) -> DeathCause | None:
    """Return why an actor that has no process needs none any more; None when it is to be started.

    Args:
        record: Its record.
        waiting: Entries in its sealed mailbox.
    """
    unwanted = record.voided or record.shutdown_started or record.sealed == SEALED_OWNER_DIED
    # The entry that ends the actor is all that is left: nobody is waiting for anything.
    idle = bool(record.sealed) and waiting <= 1
    if unwanted or idle:
        return replace(verdicts.cause_of(record), never_started=not record.ever_started)
    return None


def charge(call: Call, charged: bytes | None, incarnation: int) -> bytes | None:
    """Return the charges of a call that had started when its process died; None when it has no retry left.

    Args:
        call: The call.
        charged: What is stored: ``<count> <incarnation> <method>``.
        incarnation: The one that died. A call that it has been charged for is not charged twice.
    """
    count, last = (int(part) for part in charged.split()[:2]) if charged else (0, 0)
    if last < incarnation:
        count += 1
    if 0 <= call.retries < count:
        return None
    return b"%d %d %b" % (count, incarnation, call.method.encode())


def too_often(charged: bytes, limit: int) -> bool:
    """Tell whether a call has taken its process down so often that it is to be set aside.

    Args:
        charged: What `charge` returned.
        limit: The actor's ``max_deliveries``; 0 for none.
    """
    return 0 < limit <= int(charged.split()[0])


def restart_delay(quick_crashes: int, chance: float) -> float:
    """Return the seconds before a restart.

    Args:
        quick_crashes: Crashes in a row of incarnations that lived less than `STABLE` seconds, this one included.
        chance: Between 0 and 1; spreads actors that crash together.
    """
    if quick_crashes <= 1:
        return 0.0
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = quick_crashes - 1
    return float(_spacing(state)) * (0.5 + chance / 2)


def take(room: dict[str, float], amounts: Mapping[str, float]) -> None:
    """Take resources out of a room, also more than there are."""
    for name, amount in amounts.items():
        room[name] = room.get(name, 0.0) - amount


def give(room: dict[str, float], amounts: Mapping[str, float]) -> None:
    """Put resources into a room."""
    for name, amount in amounts.items():
        room[name] = room.get(name, 0.0) + amount


def fits(required: Mapping[str, float], free: Mapping[str, float]) -> bool:
    """Tell whether there is room for what an actor needs."""
    return all(free.get(name, 0.0) >= amount - 1e-9 for name, amount in required.items())


@dataclass(frozen=True, slots=True)
class Queued:
    """A queue of tasks, as one node sees it.

    Attributes:
        waiting: Tasks in it.
        idle: Workers that it has here, or is about to get, and that run nothing.
        busy: Workers that it has here and that do something.
        required: Resources that each task takes.
    """

    waiting: int
    idle: int
    busy: int
    required: Mapping[str, float]


def workers_wanted(queue: Queued, free: Mapping[str, float], cpus: int) -> int:
    """Return how many more workers a queue of tasks is to get.

    Args:
        queue: The queue.
        free: Resources that are not taken; workers without a task take none, but are about to.
        cpus: Of the node: so many tasks that take nothing may run at once.
    """
    room = max(1, cpus) - queue.busy - queue.idle
    if queue.required:
        room = min(int(free.get(name, 0.0) / amount + 1e-9) for name, amount in queue.required.items()) - queue.idle
    return max(0, min(queue.waiting - queue.idle, room))


def waiting_reason(required: Mapping[str, float], total: Mapping[str, float]) -> str:
    """Say why an actor is not placed."""
    wanted = ", ".join(f"{name}={amount:g}" for name, amount in required.items())
    if fits(required, total):
        return f"waits for room: needs {wanted}"
    return f"no node is large enough: needs {wanted}, this node has " + ", ".join(
        f"{name}={amount:g}" for name, amount in total.items()
    )
