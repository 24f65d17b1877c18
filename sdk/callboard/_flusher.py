"""A thread that sends what waits to be sent together with more, when no more comes soon enough."""

from __future__ import annotations

import select
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds for which something may wait to be sent together with more.
_WAIT: Final = 0.001


class Flusher:
    """Call ``flush`` a millisecond after `watch`, and each further one until it finds nothing.

    Args:
        flush: Sends what waits; tells whether there was anything.
    """

    def __init__(self, flush: Callable[[], bool]) -> None:
        self._flush = flush
        self._watching = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def watch(self) -> None:
        """Something waits from now on."""
        if not self._watching.is_set():
            self._watching.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="callboard-flusher", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread; harmless when repeated or never started."""
        self._stopped = True
        self._watching.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._watching.wait()
            # The cheapest pause there is: an event's wait makes and drops a lock each time.
            select.select((), (), (), _WAIT)
            if self._flush():
                continue
            self._watching.clear()
            # Something may have come between the look and the clearing.
            if self._flush():
                self._watching.set()
