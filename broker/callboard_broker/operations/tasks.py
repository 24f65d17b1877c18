"""Operations on tasks: remote functions that run as jobs of RQ, in RQ's own keys and forms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from callboard_broker.scripts import script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.envelope import Outcome
    from callboard_broker.keys import Keyspace
    from callboard_broker.packing import Argument, Command

#: Fields of a task that are signed beside its body, in order.
SIGNED: Final = ("call", "function", "name", "retries", "opts", "queue")
#: What RQ is told to run. Its data are not looked at by callboard's workers: they run what is signed.
_ENTRY: Final = "callboard.worker.run_task"
#: Ended jobs that RQ's tools show for each queue and way of ending, and for how many seconds.
_KEPT: Final = 100
_TTL: Final = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ends.

    Attributes:
        worker: Client that runs it, which must still be the case; ``*`` for whoever that is, or nobody.
        outcome: What its caller is told; None for nothing.
        sealed: Its head.
        shown: How RQ's tools show it: ``finished``, ``failed``, or not at all (``""``).
    """

    worker: str
    outcome: Outcome | None
    sealed: bytes
    shown: str


def submit(
    keys: Keyspace,
    client: str,
    task: str,
    number: int,
    required: str,
    told: Sequence[bytes],
    fields: Sequence[Argument],
) -> Command:
    """Submit a task.

    Args:
        keys: Of this callboard.
        client: Who submits it.
        task: Its id.
        number: How many tasks the client has submitted, this one included.
        required: JSON of the resources that its worker takes.
        told: The values of `SIGNED`.
        fields: What `envelope.seal_fields` made, and the fields of a `TaskRecord`.
    """
    _, function, name, _, _, queue = (part.decode() for part in told)
    now = _now()
    job: tuple[Argument, ...] = (
        "created_at", now, "enqueued_at", now, "data", json.dumps([_ENTRY, None, [task], {}]), "description", name,
        "origin", queue, "status", "queued", "timeout", -1, "result_ttl", _TTL, "failure_ttl", _TTL,
    )  # fmt: skip
    return script("submit_task").eval(
        [
            keys.task(task), keys.inbox(client), keys.client(client), keys.definition_users(function),
            keys.rq_job(task), keys.rq_queue(queue), keys.rq_queues, keys.pools, keys.requests,
        ],
        [task, client, number, queue, required, len(fields), *fields, *job],
    )  # fmt: skip


def begin(keys: Keyspace, task: str, queue: str, worker: str, node: str) -> Command:
    """Say that a worker, which is a client on a node, runs a task that it took from a queue."""
    now = _now()
    return script("begin_task").eval(
        [
            keys.task(task), keys.inbox(worker), keys.holds(worker), keys.rq_intermediate(queue),
            keys.rq_running(queue), keys.rq_job(task), keys.rq_worker(worker),
        ],
        [task, worker, node, now, "last_heartbeat", now],
    )  # fmt: skip


def settle(keys: Keyspace, call: str, task: str, function: str, queue: str, ending: Ending) -> Command:
    """Settle a task.

    Args:
        keys: Of this callboard.
        call: Its id as a call.
        task: Its id.
        function: Definition that it needs.
        queue: Queue that it was submitted to.
        ending: How it ends.
    """
    caller = call.rpartition("/")[0]
    index = ending.worker if ending.worker != "*" else "-"
    outcome = ending.outcome
    told = (outcome.tokens, ending.sealed, outcome.body) if outcome else (b"", b"", b"")
    expiry = int(datetime.now(UTC).timestamp()) + _TTL
    return script("settle_task").eval(
        [
            keys.task(task), keys.inbox(caller), keys.holds(caller), keys.outbox, keys.inbox(index), keys.holds(index),
            keys.definition(function), keys.definition_users(function), keys.rq_job(task), keys.rq_queue(queue),
            keys.rq_running(queue), keys.rq_ended(queue, ending.shown or "finished"), keys.rq_worker(index),
        ],
        [task, call, ending.worker, *told, ending.shown, _now(), expiry, _TTL, _KEPT, keys.rq_job("")],
    )  # fmt: skip


def requeue(keys: Keyspace, task: str, queue: str, worker: str, attempts: int) -> Command:
    """Put a task back to the front of its queue; ``worker`` is who ran it, or ``""`` if it had not begun."""
    return script("requeue_task").eval(
        [
            keys.task(task), keys.rq_job(task), keys.rq_queue(queue), keys.rq_intermediate(queue),
            keys.rq_running(queue), keys.holds(worker or "-"), keys.requests,
        ],
        [task, worker, attempts, queue],
    )  # fmt: skip


def give(keys: Keyspace, task: str, worker: str, caller: str, outcome: Outcome, sealed: bytes) -> Command:
    """Give a caller one item, under its own id, of a task that goes on."""
    return script("yield_task").eval(
        [
            keys.task(task),
            keys.outbox,
            keys.inbox(worker),
            keys.holds(worker),
            keys.inbox(caller),
            keys.holds(caller),
        ],
        [worker, outcome.call, outcome.tokens, sealed, outcome.body],
    )


def tell(keys: Keyspace, worker: str, op: str, call: bytes, number: int) -> Command:
    """Tell a worker something about a task that it may be running: ``cancel``, or how far its items are ``read``."""
    return (
        "XADD", keys.client_control(worker), "NOMKSTREAM", "MAXLEN", "~", 1000, "*", "op", op, "call", call,
        "number", number,
    )  # fmt: skip


def serve(keys: Keyspace, worker: str, queue: str) -> list[Command]:
    """Note that a worker is one of RQ's, so that its burial takes it out of RQ's books; and let it be told things."""
    return [
        ("SADD", keys.holds(worker), f"serve {queue}"),
        ("XGROUP", "CREATE", keys.client_control(worker), "worker", "0", "MKSTREAM"),
    ]


def unregister(keys: Keyspace, worker: str, queue: str) -> list[Command]:
    """Take a dead worker out of RQ's books."""
    name = keys.rq_worker(worker)
    return [
        ("SREM", keys.rq_workers, name),
        ("SREM", keys.rq_workers_of(queue), name),
        ("DEL", name, keys.client_control(worker)),
    ]


def close_pool(keys: Keyspace, queue: str) -> Command:
    """Forget a queue that has neither tasks nor workers."""
    return script("close_pool").eval(
        [
            keys.pools, keys.rq_queue(queue), keys.rq_intermediate(queue), keys.rq_running(queue),
            keys.rq_workers_of(queue), keys.rq_ended(queue, "finished"), keys.rq_ended(queue, "failed"),
            keys.rq_queues,
        ],
        [queue],
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
