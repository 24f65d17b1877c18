"""A background thread that reads the inbox while only callbacks wait for results."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from callboard_broker.errors import BrokerUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._inbox import Inbox
    from callboard._result import Result

_log = logging.getLogger(__name__)

#: Seconds of one wait.
_LONG: Final = 3600.0


class BackgroundReader:
    """Read the inbox as long as a callback waits for a result; started when first needed."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._expected = 0
        self._lock = threading.Lock()
        self._needed = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def expect(self, result: Result, callback: Callable[[], None]) -> None:
        """Run a callback when a result is there: now, or in the thread that brings it."""
        if result.done:
            callback()
            return
        with self._lock:
            self._expected += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="callboard-reader", daemon=True)
                self._thread.start()
        self._needed.set()

        def came() -> None:
            with self._lock:
                self._expected -= 1
                if not self._expected:
                    self._needed.clear()
            callback()

        result.on_done(came)

    def stop(self) -> None:
        """End the thread; harmless when repeated or never started. The inbox must be closed before."""
        self._stopped = True
        self._needed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._needed.wait()
            try:
                # Bounded, as it goes on where others give up: what is called here is told of that by `Supervision`.
                self._inbox.wait(lambda: not self._expected or self._stopped, time.monotonic() + _LONG)
            except BrokerUnreachableError as error:
                if not self._stopped:
                    _log.warning("results cannot be read: %s", error)
                    self._needed.clear()
