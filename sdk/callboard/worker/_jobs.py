"""RQ's side of a worker for tasks: its entry in RQ's books, and RQ's safe way of taking a job.

What RQ keeps of a job is not signed, so nothing of it is believed but its id: no function is looked up by the name in
it, no callback, no result is unpickled. The task with that id is signed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from callboard_broker import redispy

if TYPE_CHECKING:
    from callboard.worker._settings import TaskSettings

_log = logging.getLogger(__name__)

#: RQ's workers announce themselves and each job at the level INFO.
logging.getLogger("rq.worker").setLevel(logging.WARNING)
#: Seconds for which RQ's tools list a worker that does not say that it lives.
LISTED: Final = 480


class _Job(Job):
    """A job of which nothing is read."""

    def refresh(self) -> None:
        """Leave what is stored alone; it need not even be there."""


class JobTaker(SimpleWorker):
    """A worker in RQ's books that takes jobs from one queue, and leaves it to others to run them."""

    job_class: type[Job] = _Job

    def __init__(self, settings: TaskSettings) -> None:
        connection = redispy.client(settings.broker.address, settings.heartbeat_timeout)
        super().__init__([settings.queue], name=settings.worker, connection=connection, serializer=JSONSerializer)

    def take(self, seconds: float) -> str | None:
        """Return the id of the next job, which lies among those on their way from now on; None when none comes in time.

        Raises:
            redis.RedisError: The server does not answer, or refuses.
        """
        try:
            # RQ hands the seconds to BLMOVE, which takes parts of them, too.
            found = Queue.dequeue_any(
                self.queues,
                seconds,  # type: ignore[arg-type]
                self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
            )
        except DequeueTimeout:
            return None
        except ValueError as error:
            _log.warning("a job with an impossible id was passed over: %s", error)
            return None
        return found[0].id if found else None

    def enter(self) -> None:
        """Enter RQ's books."""
        self.register_birth()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Leave RQ's books, and the server."""
        self.register_death()  # type: ignore[no-untyped-call]
        self.connection.close()
