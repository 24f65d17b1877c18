"""References to results: what ``.remote()`` and ``put`` return."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any, Generic

from callboard import _serde
from callboard._generics import T_co
from callboard.exceptions import RayTaskError

if TYPE_CHECKING:
    from collections.abc import Generator

    from callboard._client import Client
    from callboard._result import Result


class ObjectRef(Generic[T_co]):
    """A reference to one value that exists, or will.

    It is read by `callboard.get`, awaited, or passed to other calls: as an argument of its own it is replaced by its
    value, inside another value it stays a reference. It is equal to other references to the same value.
    """

    __slots__ = ("__weakref__", "_client", "_id", "_index", "_result")

    def __init__(self, client: Client, ref_id: str, result: Result, index: int | None = None) -> None:
        self._client = client
        self._id = ref_id
        self._result = result
        self._index = index

    def hex(self) -> str:
        """Return the reference's id."""
        return self._id if self._index is None else f"{self._id}.{self._index}"

    def future(self) -> concurrent.futures.Future[T_co]:
        """Return a future that gets the value or the error. Cancelling it does not cancel the call."""
        future: concurrent.futures.Future[T_co] = concurrent.futures.Future()
        supervision = self._client.supervision

        def settle() -> None:
            if not (supervision.claim(future) and future.set_running_or_notify_cancel()):
                return
            try:
                future.set_result(self._value())
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
                future.set_exception(error)

        supervision.expect(future)
        self._client.expect(self, settle)
        return future

    def __await__(self) -> Generator[Any, None, T_co]:
        import asyncio  # noqa: PLC0415 - who awaits has it, and others do without

        return asyncio.wrap_future(self.future()).__await__()

    def _value(self) -> Any:
        value = self._result.value()
        if self._index is None:
            return value
        if not isinstance(value, tuple | list) or len(value) != self._result.returns:
            count = len(value) if isinstance(value, tuple | list) else 1
            wrong = ValueError(f"Task returned {count} objects, but num_returns={self._result.returns}.")
            raise RayTaskError("", str(wrong), wrong).as_instanceof_cause()
        return value[self._index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectRef) and self.hex() == other.hex()

    def __hash__(self) -> int:
        return hash((self._id, self._index))

    def __repr__(self) -> str:
        return f"ObjectRef({self.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        self._client.require_open(self)
        self._client.objects.publish(self)
        parcel = _serde.parcel_being_packed()
        if parcel is not None:
            parcel.refs[self.hex()] = self
        return rebuild, (self.hex(),)


def references(client: Client, call: str, result: Result, number: int) -> Any:
    """Return the references that a call gives: one, a list of several, or None for no value."""
    if number == 1:
        return ObjectRef(client, call, result)
    result.returns = number
    return [ObjectRef(client, call, result, index) for index in range(number)] if number else None


def rebuild(ref_id: str) -> ObjectRef[Any]:
    """Make a reference from its pickled form: this process holds the object, too, from now on."""
    from callboard import _session  # noqa: PLC0415 - pickles name this function; the session is needed only when it runs

    return _session.client().objects.borrow(ref_id)
