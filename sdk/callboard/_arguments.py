"""Arguments of a call on their way: pickled at once, references among them replaced by their values later."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard import _serde
from callboard._parked import Parked
from callboard._ref import ObjectRef
from callboard._result import STATUS_LOCAL
from callboard_broker.deaths import STATUS_OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._result import Result
    from callboard._serde import Parcel


@dataclass(frozen=True, slots=True)
class Place:
    """Stands in pickled arguments where a value comes later."""

    index: int


@dataclass(frozen=True, slots=True)
class Attached:
    """Pickled arguments together with the pickled values of the references among them."""

    arguments: bytes
    values: tuple[bytes | Forwarded, ...]


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The value of a reference that came in a segment.

    Attributes:
        stub: How its parts lie.
        content: All of them; in the worker it is a view or bytes.
    """

    stub: bytes
    content: pickle.PickleBuffer | bytes


def pack_call(
    args: Sequence[Any], kwargs: dict[str, Any], *, apart: bool = False
) -> tuple[Parcel, list[ObjectRef[Any]]]:
    """Pickle arguments now, so that later changes to them do not leak in; return what they wait for, too.

    Large ones that wait for nothing may be packed apart: then they must be written down before they can be changed.

    Raises:
        TypeError: An argument cannot be pickled; the text names it.
    """
    dependencies: list[ObjectRef[Any]] = []
    for value in args:
        if type(value) is ObjectRef:
            break
    else:
        if not kwargs:
            return _pack(args, kwargs, apart=apart), dependencies
    args = tuple([_place(value, dependencies) for value in args])
    kwargs = {name: _place(value, dependencies) for name, value in kwargs.items()}
    return _pack(args, kwargs), dependencies


def pack_creation(args: Sequence[Any], kwargs: dict[str, Any]) -> Parcel:
    """Pickle the arguments of a constructor; references among them are resolved by the worker, each time it starts.

    Raises:
        TypeError: An argument cannot be pickled; the text names it.
    """
    return _pack(args, kwargs)


def attach(
    parcel: Parcel, dependencies: Sequence[ObjectRef[Any]], result: Result, *, apart: bool = False
) -> tuple[Parcel, list[str]] | None:
    """Return the arguments of a call whose references have their values, perhaps apart, and all that it carries.

    When one of them is an error, the call's result is that error, it is not to be sent, and the answer is None.
    """
    targets = parcel.targets
    if not dependencies:
        return parcel, targets
    values: list[bytes | Forwarded] = []
    for ref in dependencies:
        found = ref._result  # noqa: SLF001
        if found.status != STATUS_OK:
            assert found.status is not None
            result.resolve(found.status, found.body)
            return None
        try:
            value, carried = _value_of(ref)
        except Exception as error:  # noqa: BLE001 - a value that cannot be read is an error like others
            result.resolve(STATUS_LOCAL, _serde.pack(error).body)
            return None
        values.append(value)
        targets += [target for target in carried if target not in targets]
    attached = Attached(parcel.body, tuple(values))
    return _serde.pack_apart(attached) if apart else _serde.pack(attached), targets


def _value_of(ref: ObjectRef[Any]) -> tuple[bytes | Forwarded, list[str]]:
    found = ref._result  # noqa: SLF001
    if ref._index is not None:  # noqa: SLF001
        own = _serde.pack(ref._value())  # noqa: SLF001
        return own.body, own.targets
    body, carried = found.body, getattr(found.keep, "targets", [])
    if isinstance(body, Parked):
        return Forwarded(body.stub, pickle.PickleBuffer(body.content())), carried
    return body, carried


def unpack_call(body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, in the worker.

    Raises:
        Exception: Whatever unpickling raises.
    """
    if body == _serde.NO_ARGUMENTS:
        return (), {}
    return arguments_in(_serde.unpack(body))


def arguments_in(found: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call from what was unpickled. Raises as `unpack_call` does."""
    if not isinstance(found, Attached):
        args, kwargs = found
        return args, kwargs
    args, kwargs = _serde.unpack(found.arguments)
    values = found.values
    return (
        tuple(_fill(value, values) for value in args),
        {name: _fill(value, values) for name, value in kwargs.items()},
    )


def _pack(args: Sequence[Any], kwargs: dict[str, Any], *, apart: bool = False) -> Parcel:
    try:
        return _serde.pack_apart((args, kwargs)) if apart else _serde.pack((args, kwargs))
    except Exception as error:
        raise _blame(args, kwargs, error) from error


def _place(value: Any, dependencies: list[ObjectRef[Any]]) -> Any:
    if not isinstance(value, ObjectRef):
        return value
    dependencies.append(value)
    return Place(len(dependencies) - 1)


def _fill(value: Any, values: tuple[bytes | Forwarded, ...]) -> Any:
    if not isinstance(value, Place):
        return value
    found = values[value.index]
    return _serde.unpack_apart(found.content, found.stub) if isinstance(found, Forwarded) else _serde.unpack(found)


def _blame(args: Sequence[Any], kwargs: dict[str, Any], error: Exception) -> TypeError:
    named = [(f"{position}", value) for position, value in enumerate(args)] + list(kwargs.items())
    for name, value in named:
        try:
            _serde.pack(value)
        except Exception as reason:  # noqa: BLE001 - whatever a value's own hooks raise
            return TypeError(
                f"argument {name} of type {type(value).__qualname__} cannot be pickled: {reason}. "
                "Pass plain data, or create what cannot be pickled inside the actor."
            )
    return TypeError(f"the arguments cannot be pickled: {error}")
