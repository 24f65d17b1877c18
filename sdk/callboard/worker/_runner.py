"""Running a call: from its body to an outcome."""

from __future__ import annotations

import inspect
import socket
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final

from callboard import _failures, _retry_policy, _serde, _session
from callboard._arguments import unpack_call
from callboard._definition import CALL, READY
from callboard._stream import item_id
from callboard.exceptions import ObjectLostError, RaySystemError
from callboard.worker._signals import Departure
from callboard.worker._streams import Streams
from callboard_broker.deaths import STATUS_ERROR, STATUS_OK, STATUS_SEGMENT
from callboard_broker.envelope import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callboard._serde import Parcel
    from callboard.worker._parking import Parking
    from callboard_broker.envelope import Call
    from callboard_broker.records import ActorRecord

_HOST: Final = socket.gethostname()


class Runner:
    """Run calls on an instance.

    Args:
        instance: The actor.
        record: What is known of it, for the texts of errors.
        parking: Where large arguments come from, and large results go.
    """

    def __init__(self, instance: Any, record: ActorRecord, parking: Parking) -> None:
        self._instance = instance
        self._record = record
        self.parking = parking
        self.streams = Streams()
        #: Gives the caller one item of a call; set by who runs calls.
        self.give: Callable[[Call, Outcome], None]

    def run(self, call: Call) -> Outcome:
        """Run a call and return its outcome.

        Raises:
            BaseException: A way out of the actor: `SystemExit` or a `Departure`.
        """
        try:
            method, args, kwargs = self.load(call)
        except Exception as error:  # noqa: BLE001 - whatever unpickling user data raises
            return self.failed(call, error)
        attempts = 0
        while True:
            try:
                value = method(*args, **kwargs)
                if isinstance(value, GeneratorType) or (call.opts and call.streams):
                    value = self._stream(call, value) if call.streams else list(value)
                break
            except (SystemExit, Departure):
                raise
            except BaseException as error:  # noqa: BLE001 - its outcome is what it raised
                if not again(call, method, error, attempts):
                    return self.failed(call, error)
                attempts += 1
        return self.returned(call, value)

    def failed(self, call: Call, error: BaseException) -> Outcome:
        """Return the outcome of a method that raised."""
        record = self._record
        parcel = _failures.exception_parcel(
            error,
            function=f"{record.class_name}.{call.method}" if record.class_name else call.method,
            actor_id=record.actor_id,
            pid=record.pid,
            host=_HOST,
            shown=shown(self._instance),
        )
        return self._packed(call.id, STATUS_ERROR, parcel)

    def load(
        self, call: Call, content: bytes | None = None
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the method that a call names, with its arguments.

        Args:
            call: Which.
            content: Its large arguments, when they have been fetched already.

        Raises:
            Exception: The arguments cannot be loaded, or there is no such method.
        """
        try:
            if call.opts and call.option("segment"):
                args, kwargs = self.parking.arguments(call, content)
            else:
                args, kwargs = unpack_call(call.body)
        except ObjectLostError:
            raise
        except Exception as error:
            raise _arguments_lost(error) from error
        return self._method(call.method), args, kwargs

    def _method(self, name: str) -> Callable[..., Any]:
        """Return the bound method of a name, or one of those that every actor has.

        Raises:
            AttributeError: There is none.
        """
        if name == READY:
            return lambda: True
        if name == CALL:
            return lambda function, *args, **kwargs: function(self._instance, *args, **kwargs)
        found: Callable[..., Any] = getattr(self._instance, name)
        return found

    def _stream(self, call: Call, values: Iterator[Any]) -> int:
        """Give the caller what a generator yields, as fast as it reads; return how many items there were."""
        require_generator(call, values)
        stream = self.streams.begin(call.id, call.streams)
        try:
            for value in values:
                self.give_item(call, stream.gave(), value)
                if not stream.wait():
                    values.close()  # type: ignore[attr-defined] # a generator
                    break
            return stream.given
        finally:
            self.streams.end(call.id)

    def give_item(self, call: Call, number: int, value: Any) -> None:
        """Give the caller the value with a number."""
        self.give(call, self._packed(item_id(call.id, number), STATUS_OK, self._pack(call, value)))

    def returned(self, call: Call, value: Any) -> Outcome:
        """Return the outcome of a method that returned."""
        body = _serde.pack_plain(value)
        if body is not None:
            return Outcome(call.id, STATUS_OK, b"", body)
        try:
            parcel = self._pack(call, value, apart=self.parking.near(call))
            status = STATUS_OK
            if parcel.apart is not None:
                if self.parking.give(call, parcel):
                    status = STATUS_SEGMENT
                else:
                    parcel = self._pack(call, value)
        except TypeError as error:
            return self.failed(call, error)
        return self._packed(call.id, status, parcel)

    def _pack(self, call: Call, value: Any, *, apart: bool = False) -> Parcel:
        try:
            return _serde.pack_apart(value) if apart else _serde.pack(value)
        except Exception as error:
            raise TypeError(
                f"the result of {call.method} cannot be pickled: {error}. Return plain data, or a handle."
            ) from error

    def _packed(self, identity: bytes, status: bytes, parcel: Parcel) -> Outcome:
        if not parcel.carries:
            return Outcome(identity, status, b"", parcel.body)
        # Before the outcome is committed, which answers for it from then on.
        caller = identity.decode().rpartition("/")[0]
        _session.client().holdings.lend_away(parcel.targets, f"r:{identity.decode()}", caller)
        return Outcome(identity, status, " ".join(parcel.targets).encode(), parcel.body)


def require_generator(call: Call, values: Any) -> None:
    if not (inspect.isgenerator(values) or inspect.isasyncgen(values)):
        raise TypeError(
            f'{call.method} was called with num_returns="streaming" but returned {type(values).__qualname__}: '
            "yield the items, or call it without."
        )


def again(call: Call, method: Callable[..., Any], error: BaseException, attempts: int) -> bool:
    """Tell whether a call that raised, for the nth time, is run again."""
    return (call.retries < 0 or attempts < call.retries) and _retry_policy.retries(call, method, error)


def shown(instance: Any) -> str:
    """Return the repr of an actor, whatever its class makes of it."""
    try:
        return repr(instance)[:200]
    except Exception as error:  # noqa: BLE001 - the user's own repr
        return f"<{type(instance).__name__}, whose repr raises {type(error).__name__}>"


def _arguments_lost(error: Exception) -> RaySystemError:
    return RaySystemError(
        f"the arguments could not be loaded in the actor's process: {type(error).__name__}: {error}. "
        "Is the module that defines them importable there?"
    )
