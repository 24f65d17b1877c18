"""Sending outcomes while the connection is being replaced."""

import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.support.waiting import asleep, wait_until

from callboard.worker._replies import Replies
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.keys import Keyspace
from callboard_broker.packing import pack

SETTLE = ("PING", "an outcome")


class Line:
    """A connection that notes what is sent, and may be broken."""

    def __init__(self, broken: bool, introduced: Callable[[], None]) -> None:
        self.sent: list[bytes] = []
        self._broken = broken
        self._introduced = introduced

    def pipeline(self, commands: list[Any]) -> list[Any]:
        """Answer a worker that introduces itself."""
        self._introduced()
        return [1, b"run_id:server", *[b"" for _ in commands[2:]]]

    def send_packed(self, data: bytes) -> None:
        """Note it."""
        self.sent.append(data)

    def available(self) -> list[Any]:
        """Have no answers."""
        if self._broken:
            raise BrokerUnreachableError("it broke")
        return []

    def close(self) -> None:
        """Do nothing."""


def test_what_waits_is_sent_once_when_its_time_comes_while_the_connection_is_replaced() -> None:
    """Sent in between and again at the end, it would be answered twice, and each later answer be taken for another."""
    threads: list[threading.Thread] = []
    may_end = threading.Event()

    def time_comes() -> None:
        done = threading.Event()

        def flush() -> None:
            replies._flusher._flush()
            done.set()
            may_end.wait()

        threads.append(threading.Thread(target=flush))
        threads[0].start()
        sleeps, looks = asleep(threads[0]), itertools.count()
        # It may have waited for the interpreter's lock when it is looked for the first time.
        wait_until(lambda: done.is_set() or (sleeps() and next(looks) > 2), what="the flusher")

    lines = [Line(broken=True, introduced=lambda: None), Line(broken=False, introduced=time_comes)]
    settings: Any = SimpleNamespace(
        actor="actor",
        heartbeat_timeout=10,
        broker=SimpleNamespace(keys=Keyspace("cb"), connect=lambda *_args, **_named: lines[1]),
    )
    page: Any = SimpleNamespace(connected=lambda _number: None)
    journal: Any = SimpleNamespace(used=0)
    first: Any = lines[0]
    replies = Replies(settings, first, page, journal)
    replies.post_command(SETTLE)
    replies.collect()
    may_end.set()
    threads[0].join()
    assert lines[1].sent == [pack(SETTLE)]
