"""Plain RQ: its own workers, which do not fork, and its own queue."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import redis
from rq import Queue, SimpleWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rq.job import Job


class PlainRq:
    """A queue whose jobs are waited for."""

    def __init__(self, address: str) -> None:
        self._queue = Queue("plain", connection=_connection(address))

    def run(self, function: str, count: int) -> list[Any]:
        """Enqueue a function so many times, and wait for all results.

        Raises:
            TimeoutError: A result did not come.
        """
        jobs = [self._queue.enqueue(function, number) for number in range(count)]
        return [_result(job) for job in jobs]


def _result(job: Job) -> Any:
    found = job.latest_result(timeout=60)
    if found is None:
        raise TimeoutError(f"job {job.id} has no result after a minute")
    return found.return_value


def _connection(address: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=unquote(address.removeprefix("unix://")))


@contextmanager
def plain_rq(address: str, workers: int) -> Iterator[PlainRq]:
    """Start workers and end them."""
    with ExitStack() as stack:
        for _ in range(workers):
            # A worker ends when the pipe that it reads does.
            process = subprocess.Popen([sys.executable, "-m", "bench.plainrq", address], stdin=subprocess.PIPE)
            stack.enter_context(process)
            assert process.stdin is not None
            stack.callback(process.stdin.close)
        yield PlainRq(address)


def _leave() -> None:
    sys.stdin.read()
    os._exit(0)


def _work(address: str) -> None:
    threading.Thread(target=_leave, daemon=True).start()
    connection = _connection(address)
    SimpleWorker([Queue("plain", connection=connection)], connection=connection).work(logging_level="ERROR")


if __name__ == "__main__":
    _work(sys.argv[1])
