"""Noticing that no supervisor lives any more, so that nobody waits for ever for what only supervisors bring about."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from callboard.exceptions import RaySystemError
from callboard_broker import host
from callboard_broker.addresses import without_password
from callboard_broker.records import NodeRecord
from callboard_broker.wire import items, mapping, text

if TYPE_CHECKING:
    from concurrent.futures import Future

    from callboard._client import Client

_log = logging.getLogger(__name__)

#: Looks in a row without a sign of a supervisor, one at each beat of ours, after which nobody is waited for. That is
#: three heartbeat timeouts: in one another supervisor may take over, after two workers leave by themselves.
_LOOKS: Final = 15


class Supervision:
    """Look for supervisors at each beat of a driver.

    Only looks that Redis answered count, and no time: in an outage, or while this process is stopped, nobody dies.

    Args:
        client: The driver.
        beat_interval: Seconds between its beats.
    """

    def __init__(self, client: Client, beat_interval: float) -> None:
        self._client = client
        client.inbox.hope = self.back
        self._beat_interval = beat_interval
        self._looking = threading.Lock()
        self._beats: dict[str, int] = {}
        self._known = False
        self._missed = 0
        # Reentrant, as a finalizer may interrupt whoever holds it.
        self._lock = threading.RLock()
        self._futures: weakref.WeakSet[Future[Any]] = weakref.WeakSet()

    def expect(self, future: Future[Any]) -> None:
        """Have a future that waits for an outcome get the error, too, unless it is claimed before."""
        with self._lock:
            self._futures.add(future)

    def claim(self, future: Future[Any]) -> bool:
        """Tell whether a future is still to be settled; nobody else settles it from now on."""
        with self._lock:
            if future not in self._futures:
                return False
            self._futures.remove(future)
            return True

    def look(self) -> None:
        """Look for a supervisor; when there has been none for too long, tell those who wait without a bound."""
        if self.back():
            return
        self._missed += 1
        if self._missed < _LOOKS:
            return
        if self._known:
            self._abandon()
        elif self._missed == _LOOKS:
            # The first may be on its way: whoever starts the program first should not lose it.
            _log.warning("%s Calls wait until there is one.", self._words("has been seen yet"))

    def back(self) -> bool:
        """Tell whether there is a supervisor now; nobody is given up then. For any thread.

        One of another host is seen when it has beaten since the last look, or has come since.
        """
        with self._looking:
            if not self._found():
                return False
            self._missed = 0
            self._client.inbox.abandoned = None
            return True

    def _found(self) -> bool:
        client, before = self._client, self._beats
        nodes = [text(name) for name in items(client.ask("SMEMBERS", client.keys.nodes))]
        stored = client.ask_all(*[("HGETALL", client.keys.node(node)) for node in nodes])
        records = [NodeRecord.decode(mapping(fields)) for fields in stored]
        self._known = self._known or bool(nodes)
        self._beats = {node: record.beat for node, record in zip(nodes, records, strict=True)}
        return any(before.get(node) != beat for node, beat in self._beats.items()) or any(
            record.host == client.identity.host and host.process_lives(record.pid, record.start_time)
            for record in records
        )

    def _abandon(self) -> None:
        words = self._words(f"has shown a heartbeat for {_LOOKS * self._beat_interval:g} s")
        told = f"{words} What was called is not lost: get() it again when there is one."
        self._client.inbox.abandoned = told
        self._client.inbox.wake()
        with self._lock:
            futures = list(self._futures)
            self._futures.clear()
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_exception(RaySystemError(told))

    def _words(self, what: str) -> str:
        address = without_password(self._client.broker.address)
        return (
            f"no supervisor of the callboard at {address} {what}, so nobody runs its actors and remote functions. "
            f"Start one by `callboard supervisor --address {address}`, or leave this callboard by shutdown()."
        )
