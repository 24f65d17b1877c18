"""What a supervisor is told when it is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from callboard_broker.broker import Broker
    from callboard_broker.records import ActorRecord
    from callboard_broker.segments import Segments
    from callboard_broker.timing import Timing


@dataclass(frozen=True)
class Config:
    """What a supervisor goes by.

    Attributes:
        broker: Where the callboard lives.
        node: Id of this node.
        host: Identity of this host.
        timing: Heartbeat and graceful timeouts, in seconds.
        resources: What this node has to promise, CPUs under ``CPU``.
        log_dir: Where the output of workers goes.
        log_age: Seconds for which that of the dead and forgotten stays after its last line.
        tied: Whether it ends with the program at the other end of its standard input, and the callboard with it.
        entry: What the worker of a serial actor runs, as ``module:function``.
        concurrent_entry: What that of an actor runs that may have several calls running.
        task_entry: What a worker for tasks runs.
        segments: Those of this callboard on this host, if there can be any.
        preload: Modules that the fork server imports, so that heavy imports cost once.
    """

    broker: Broker
    node: str
    host: str
    timing: Timing
    resources: dict[str, float]
    log_dir: Path
    log_age: float = 24 * 3600.0
    tied: bool = False
    entry: str = "callboard.worker:main"
    concurrent_entry: str = "callboard.worker.concurrent:main"
    task_entry: str = "callboard.worker.tasks:main"
    segments: Segments | None = None
    preload: tuple[str, ...] = field(default=())

    def entry_of(self, record: ActorRecord) -> str:
        """Return what an actor's worker runs."""
        return self.concurrent_entry if record.max_concurrency > 1 or record.concurrency_groups else self.entry

    def worker(self, actor: str, token: str, incarnation: int, page: Path) -> dict[str, Any]:
        """Return what a worker is told that is to be an actor."""
        return {**self._any_worker(page), "actor": actor, "token": token, "incarnation": incarnation}

    def task_worker(self, worker: str, queue: str, page: Path) -> dict[str, Any]:
        """Return what a worker is told that is to run the tasks of a queue."""
        return {**self._any_worker(page), "worker": worker, "queue": queue, "idle_timeout": self.timing.idle_timeout}

    def _any_worker(self, page: Path) -> dict[str, Any]:
        return {
            "address": self.broker.address,
            "prefix": self.broker.prefix,
            # Over a socket of our own: never in an argument list, an environment or a file.
            "key": self.broker.key.secret.hex(),
            "node": self.node,
            "host": self.host,
            "page": str(page),
            "segments": str(self.segments.root) if self.segments else "",
            "heartbeat_timeout": self.timing.heartbeat_timeout,
        }
