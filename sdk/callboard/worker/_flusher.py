"""A thread that sends outcomes which wait behind a call that takes longer than expected."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds for which an outcome may wait to be sent together with others.
_WAIT: Final = 0.001


class Flusher:
    """Call ``flush`` every millisecond while a batch of calls is being run; started with the first batch."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._watching = threading.Event()
        self._pause = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Watch over a batch."""
        self._watching.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="callboard-flusher", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Rest until the next batch; harmless when resting."""
        if self._watching.is_set():
            self._watching.clear()

    def _run(self) -> None:
        while True:
            self._watching.wait()
            # Never set: a wait that lets go of the interpreter.
            self._pause.wait(_WAIT)
            if self._watching.is_set():
                self._flush()
