"""What has become of a call or a put: pending, then exactly one outcome."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from callboard import _failures, _serde
from callboard_broker.deaths import STATUS_ERROR, STATUS_OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard._holding import Tokens
    from callboard._parked import Parked

#: Status of an outcome that this process gave itself: its body is a pickled exception.
STATUS_LOCAL = b"local"

#: Stands for the number of the call that ends an actor.
FINAL = 0

_registering = threading.Lock()


class Sent(NamedTuple):
    """Where a call went.

    Attributes:
        actor: To which actor.
        entry: Its entry in the mailbox.
        seq: Its number among those of this client to that actor; `FINAL` for the call that ends it.
        command: What was sent, packed: a restarted server may have forgotten it.
        targets: What it carries.
    """

    actor: str
    entry: bytes
    seq: int
    command: bytes
    targets: Sequence[str] = ()


class Queued(NamedTuple):
    """Where a task went.

    Attributes:
        task: Its id.
        function: Its definition.
        queue: The queue that it was submitted to.
        command: What was sent, packed; nothing, as long as its arguments are pending.
        targets: What it carries.
    """

    task: str
    function: str
    queue: str
    command: bytes = b""
    targets: Sequence[str] = ()


class Result:
    """One outcome, shared by the references to it.

    It is resolved once; a second outcome changes nothing. Reading needs no lock: ``status`` is set last.
    """

    __slots__ = ("__weakref__", "_callbacks", "body", "forcible", "keep", "parent", "returns", "status", "went")

    def __init__(self) -> None:
        self.status: bytes | None = None
        self.body: bytes | Parked = b""
        #: What must live as long as the body can be read: tokens that came with it, handles that were put.
        self.keep: Tokens | object | None = None
        #: How many values the call is to return, each with a reference of its own.
        self.returns = 1
        #: What `sent` says; of a call to an actor as a plain tuple, which the garbage collector does not look at again
        #: and again: a hundred thousand calls may be open.
        self.went: tuple[str, bytes, int, bytes, Sequence[str]] | Queued | None = None
        #: Whether it can be cancelled by force, being that of a task.
        self.forcible = False
        #: The call that made this one, in a process that runs calls.
        self.parent = b""
        self._callbacks: deque[Callable[[], None]] | None = None

    @property
    def sent(self) -> Sent | Queued | None:
        """Return where the call went; of a call to an actor None until that is acknowledged."""
        went = self.went
        return went if went is None or isinstance(went, Queued) else Sent(*went)

    @property
    def done(self) -> bool:
        """Tell whether there is an outcome."""
        return self.status is not None

    def resolve(self, status: bytes, body: bytes | Parked, keep: object | None = None) -> None:
        """Set the outcome and run what waits for it. What waits must not raise."""
        if self.status is not None:
            return
        self.body = body
        self.keep = keep
        self.went = None
        self.status = status
        if self._callbacks:
            self._call_back()

    def on_done(self, callback: Callable[[], None]) -> None:
        """Run a callback once there is an outcome: now, or in the thread that brings it."""
        with _registering:
            callbacks = self._callbacks
            if callbacks is None:
                callbacks = self._callbacks = deque()
        callbacks.append(callback)
        # Whoever resolves it looks for callbacks afterwards: either that one sees ours, or we see that it is resolved.
        if self.status is not None:
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.popleft()
            except IndexError:
                # Another thread has taken the last one meanwhile.
                return
            callback()

    def value(self) -> Any:
        """Return what the call returned, freshly unpickled, or raise what it raised.

        Raises:
            Exception: The outcome, when it is not a result.
        """
        if self.status == STATUS_OK:
            return _failures.unpacked(self.body)
        raise self.error()

    def error(self) -> Exception:
        """Return the error of an outcome that is one."""
        assert self.status is not None
        assert self.status != STATUS_OK
        assert isinstance(self.body, bytes)
        if self.status == STATUS_ERROR:
            return _failures.from_task(self.body)
        if self.status == STATUS_LOCAL:
            found = _serde.unpack(self.body)
            assert isinstance(found, Exception)
            return found
        return _failures.from_json(self.status, self.body)
