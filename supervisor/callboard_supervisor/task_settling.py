"""What follows for tasks when the worker that ran them is dead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker import verdicts
from callboard_broker.deaths import STATUS_CRASHED
from callboard_broker.envelope import Outcome, open_fields
from callboard_broker.errors import BrokerRefusedError, EnvelopeError
from callboard_broker.operations import tasks
from callboard_broker.page import StatusPage, page_path
from callboard_broker.records import TaskRecord
from callboard_broker.wire import mapping

if TYPE_CHECKING:
    from callboard_supervisor.link import Link

_log = logging.getLogger(__name__)


class TaskSettling:
    """Settle what a dead worker leaves. Each step can be repeated."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._keys = link.keys

    def strike_off(self, worker: str, queue: str) -> None:
        """Take a dead worker out of RQ's books, and remove its status page if it was one of this host."""
        self._link.pipeline(tasks.unregister(self._keys, worker, queue))
        StatusPage.unlink(page_path(worker, "task"))

    def lose(self, task: str, worker: str, ended: str) -> None:
        """Have a task whose worker died run again, at once, or settle it when it has no retry left."""
        broker, keys = self._link.broker, self._keys
        try:
            stored = mapping(self._link.call("HGETALL", keys.task(task)))
            if stored.get("worker") != worker.encode():
                return
            open_fields(broker.signer("task", task), tasks.SIGNED, stored, f"the task {task}")
        except (EnvelopeError, BrokerRefusedError) as error:
            _log.warning("a task was refused: %s", error)
            return
        call, function, name, retries, _, queue = (stored[field].decode() for field in tasks.SIGNED)
        attempts = TaskRecord.decode(stored).attempts + 1
        if int(retries) < 0 or attempts <= int(retries):
            self._link.call(*tasks.requeue(keys, task, queue, worker, attempts))
            return
        why = f"{ended}; retries: {attempts - 1} of {retries} used"
        outcome = Outcome(call.encode(), STATUS_CRASHED, b"", verdicts.crashed(name, why))
        sealed = broker.seal_outcome(call.rpartition("/")[0], outcome)
        self._link.call(
            *tasks.settle(keys, call, task, function, queue, tasks.Ending(worker, outcome, sealed, "failed"))
        )
