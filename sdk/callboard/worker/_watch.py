"""The worker's watch on its own place in the world: is it still what it is, and is anybody looking after it?"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from callboard_broker import host, windows
from callboard_broker.errors import BrokerError
from callboard_broker.wire import Wire, checked, fields, items, maybe_text, stream_entries, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._settings import Settings, TaskSettings
    from callboard_broker.packing import Command
    from callboard_broker.page import StatusPage

_log = logging.getLogger(__name__)

#: Takes an operation, a call and a number; returns what is to be sent in answer.
Told: TypeAlias = "Callable[[str, bytes, int], Command | None]"

#: Milliseconds for which a read blocks in the server at most; below the wire's bound of silence.
_BLOCK_MS: Final = 10_000
#: Looks after the time is over before it counts as such: this process may have been stopped for as long, its connection
#: may have ended meanwhile, and a read may last when the clock of the server is put back.
_IN_VAIN: Final = 2


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is, and where that is said.

    Attributes:
        whose: Its name for ``CLIENT LIST``.
        question: Asks for what says that it still is, and for its node.
        answer: The first part of the reply, as long as it is.
        control: Where callers say things about calls that it may have in hand.
        beside: What is sent along with each look.
    """

    whose: str
    question: Command
    answer: str
    control: bytes
    beside: tuple[Command, ...] = ()


def place_of_actor(settings: Settings) -> Place:
    """Return the place of a worker that is an actor: its record names the token of its incarnation."""
    keys, actor = settings.broker.keys, settings.actor
    return Place(actor, ("HMGET", keys.actor(actor), "token", "node"), settings.token, keys.control(actor))


class Watch:
    """A thread that looks at the worker's record and the node's heartbeat, moves the page's counter, and listens.

    A worker that is no longer its actor leaves at once. One that nobody looks after, as its supervisor's process or the
    broker is gone, leaves after twice the heartbeat timeout: once for that to be missed, once for another to take over.
    """

    def __init__(self, settings: Settings | TaskSettings, page: StatusPage, place: Place) -> None:
        self._settings = settings
        self._page = page
        self._place = place
        # Half of what it takes to count as lost: the beat that was missed may have been long before this look.
        self._certainty = int(settings.heartbeat_timeout * 1e9 / 2)
        self._wire: Wire | None = None
        self._node = settings.node
        self._node_beat = ""
        self._moved_at = time.monotonic()
        #: Nanoseconds of the monotonic clock until when nobody can have taken this worker's place.
        self.certain_until = time.monotonic_ns() + self._certainty
        self._told: Told | None = None
        self._last_told: bytes = b"0-0"
        self._stopped = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="callboard-watch", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching: the end has begun, and the supervisor's bound on it counts now."""
        self._stopped = True
        self._woken.set()

    def tell(self, told: Told) -> None:
        """Pass on, from now on, what callers have to say about their calls, and send what is answered."""
        self._told = told
        self._woken.set()

    def _run(self) -> None:
        timeout, overdue = self._settings.heartbeat_timeout, 0
        while not self._stopped:
            self._page.beat()
            windows.close_idle(timeout)
            try:
                self._look()
                if self._told is None:
                    self._woken.wait(timeout / 5)
                else:
                    self._listen(self._told, timeout / 5)
            except BrokerError as error:
                _log.warning("the broker cannot be asked: %s", error)
                if self._wire is not None:
                    self._wire.close()
                    self._wire = None
                # As long as it is stopped or not: an event that is set would not wait.
                threading.Event().wait(timeout / 5)
            overdue = overdue + 1 if time.monotonic() - self._moved_at > 2 * timeout else 0
            if overdue > _IN_VAIN and not self._stopped:
                fall(self._page, "no supervisor and no broker for too long")

    def _look(self) -> None:
        settings, place = self._settings, self._place
        keys = settings.broker.keys
        if self._wire is None:
            self._wire = settings.broker.connect(f"watch:{place.whose}")
        looked_at = time.monotonic_ns()
        questions = [place.question, ("HMGET", keys.node(self._node), "beat", "pid", "start_time"), *place.beside]
        record, about, *_ = map(checked, self._wire.pipeline(questions))
        token, node = (maybe_text(part) for part in items(record))
        if token != place.answer and not self._stopped:
            fall(self._page, "a newer incarnation took over, or the actor was ended")
        self.certain_until = looked_at + self._certainty
        adopted = bool(node) and node != self._node
        self._node = node or self._node
        beat, pid, began = (maybe_text(part) for part in items(about))
        if beat is not None and beat != self._node_beat:
            self._node_beat = beat
        # A supervisor that is too busy to beat is none that is gone; were another to take over, the token would change.
        elif not (adopted or _lives(pid, began) or self._has_neighbour()):
            return
        self._moved_at = time.monotonic()

    def _has_neighbour(self) -> bool:
        """Tell whether some supervisor of this host lives: it will see to those whose own one is gone."""
        assert self._wire is not None
        keys = self._settings.broker.keys
        nodes = [text(node) for node in items(self._wire.call("SMEMBERS", keys.nodes))]
        questions = [("HMGET", keys.node(node), "host", "pid", "start_time") for node in nodes]
        found = map(checked, self._wire.pipeline(questions))
        told = [tuple(map(maybe_text, items(about))) for about in found]
        return any(where == self._settings.host and _lives(pid, began) for where, pid, began in told)

    def _listen(self, told: Told, seconds: float) -> None:
        """Wait for what callers have to say."""
        assert self._wire is not None
        block = min(int(seconds * 1000), _BLOCK_MS)
        read = ("XREAD", "COUNT", 1000, "BLOCK", block, "STREAMS", self._place.control, self._last_told)
        answers = []
        for entry, flat in stream_entries(self._wire.call(*read)):
            self._last_told = entry
            about = fields(flat or [])
            answers.append(told(about.get("op", b"").decode(), about.get("call", b""), int(about.get("number", 0))))
        self._wire.pipeline([answer for answer in answers if answer])


def _lives(pid: str | None, began: str | None) -> bool:
    return host.process_lives(int(pid or 0), int(began or 0))


def fall(page: StatusPage, why: str) -> NoReturn:
    """End this process at once, and its process group with it: perhaps nobody is left to end what it has started.

    Args:
        page: Its status page, which keeps what it leaves behind.
        why: Its last words.
    """
    page.leave_note(why)
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("a process outlived SIGKILL")


def terminate_on_signal(handler: object) -> None:
    """Let SIGTERM run a handler in the main thread; SIGINT is for the program at the terminal, not for workers."""
    signal.signal(signal.SIGTERM, handler)  # type: ignore[arg-type] # a plain function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
