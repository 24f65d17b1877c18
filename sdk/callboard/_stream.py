"""Streaming results: a call whose items arrive one by one, and what its caller iterates over."""

from __future__ import annotations

import concurrent.futures
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Generic, Self

from callboard import _serde
from callboard._generics import T
from callboard._ref import ObjectRef
from callboard._result import Result
from callboard_broker.deaths import STATUS_OK

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._client import Client
    from callboard._supervision import Supervision

#: Status of an item that there is not: the stream has ended before it.
_END: Final = b"end"


def item_id(call: bytes, number: int) -> bytes:
    """Return the id of an item of a call."""
    return b"%b#%d" % (call, number)


class StreamResult(Result):
    """What becomes of a call that gives items: the items, then how many there were, or an error.

    An item that is given again, by a call that is run again, changes nothing.

    Args:
        tell: Tells whoever gives them something about the call: an operation, the call, a number.
        ahead: Items that the call may be ahead of its reader, who must tell how far he is; 0 or less for any number.
    """

    __slots__ = ("_ahead", "_call", "_end", "_items", "_lock", "_read", "_tell_giver")

    def __init__(self, tell: Callable[[str, bytes, int], None], ahead: int) -> None:
        super().__init__()
        self._tell_giver = tell
        self._ahead = ahead
        self._call = b""
        self._items: dict[int, Result] = {}
        self._read = 0
        self._end: int | None = None
        self._lock = threading.Lock()
        self.on_done(self._ended)

    def arrived(self, number: int, status: bytes, body: bytes, keep: object | None) -> None:
        """Take an item."""
        with self._lock:
            again = number < self._read
            item = None if again else self._items.setdefault(number, Result())
        if item is not None:
            item.resolve(status, body, keep)
        elif self._ahead > 0:
            # A call that is run again does not know how far its reader is.
            self._tell()

    def next_item(self) -> tuple[int, Result]:
        """Return the next item, which may be pending, and its number."""
        with self._lock:
            number = self._read
            item = self._items.setdefault(number, Result())
        self._settle_beyond_the_end()
        return number, item

    def took(self, number: int) -> None:
        """Note that an item has been handed to the reader."""
        with self._lock:
            self._items.pop(number, None)
            self._read = number + 1
        if self._ahead > 0 and not self.done:
            self._tell()

    def begin(self, call: bytes) -> None:
        """Note the call's id."""
        self._call = call

    def _tell(self) -> None:
        self._tell_giver("read", self._call, self._read)

    def _ended(self) -> None:
        with self._lock:
            if self.status == STATUS_OK:
                assert isinstance(self.body, bytes)  # a number is small
                self._end = int(_serde.unpack(self.body))
            else:
                # One reference more, which has the error.
                last = max((number for number, item in self._items.items() if item.done), default=self._read - 1)
                error = self._items.setdefault(last + 1, Result())
                self._end = last + 2
        if self.status != STATUS_OK:
            assert self.status is not None
            error.resolve(self.status, self.body, self.keep)
        self._settle_beyond_the_end()

    def _settle_beyond_the_end(self) -> None:
        if self._end is None:
            return
        with self._lock:
            beyond = [item for number, item in self._items.items() if number >= self._end]
        for item in beyond:
            item.resolve(_END, b"")


class ObjectRefGenerator(Generic[T]):
    """The references to what a generator method yields, in order, each as soon as it has been yielded.

    It is iterated over by ``for`` and by ``async for``. When the method raised or died, what it yielded before is
    followed by one reference that has the error. Dropping the generator ends the call.
    """

    __slots__ = ("__weakref__", "_client", "_id", "_result")

    def __init__(self, client: Client, call: str, result: StreamResult) -> None:
        self._client = client
        self._id = call
        self._result = result
        weakref.finalize(self, client.housekeeper.note, lambda: _abandon(client, call, result)).atexit = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ObjectRef[T]:
        found = self._next(None)
        if found is None:
            raise StopIteration
        return found

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ObjectRef[T]:
        number, item = self._result.next_item()
        if not item.done:
            self._client.require_open(self)
            came: concurrent.futures.Future[None] = concurrent.futures.Future()
            supervision = self._client.supervision
            supervision.expect(came)
            self._client.reader.expect(item, lambda: _set(came, supervision))
            import asyncio  # noqa: PLC0415 - who awaits has it, and others do without

            await asyncio.wrap_future(came)
        found = self._taken(number, item)
        if found is None:
            raise StopAsyncIteration
        return found

    def completed(self) -> ObjectRef[int]:
        """Return a reference that has a value once the method has ended: the number of items; or its error."""
        return ObjectRef(self._client, self._id, self._result)

    def next_ready(self) -> bool:
        """Tell whether the next reference is there, or the end."""
        number, item = self._result.next_item()
        del number
        return self._client.wait(lambda: item.done, 0)

    def is_finished(self) -> bool:
        """Tell whether the method has ended and all has been read."""
        return self.next_ready() and self._result.next_item()[1].status == _END

    def _next(self, timeout: float | None) -> ObjectRef[T] | None:
        number, item = self._result.next_item()
        self._client.require_open(self)
        self._client.wait(lambda: item.done, timeout)
        return self._taken(number, item)

    def _taken(self, number: int, item: Result) -> ObjectRef[T] | None:
        if item.status == _END:
            return None
        self._result.took(number)
        return self._ref(number, item)

    def _ref(self, number: int, item: Result) -> ObjectRef[T]:
        return ObjectRef(self._client, item_id(self._id.encode(), number).decode(), item)

    def __repr__(self) -> str:
        return f"ObjectRefGenerator({self._id})"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} cannot be passed on: read it here, and pass on its references")


def _abandon(client: Client, call: str, result: StreamResult) -> None:
    """End a call whose items nobody can read any more."""
    if not (result.done or client.closed):
        client.withdrawals.withdraw(call.encode(), result)


def _set(came: concurrent.futures.Future[None], supervision: Supervision) -> None:
    if supervision.claim(came) and came.set_running_or_notify_cancel():
        came.set_result(None)
