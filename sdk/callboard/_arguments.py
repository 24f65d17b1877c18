"""Arguments of a call on their way: pickled at once, references among them replaced by their values later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard import _serde
from callboard._ref import ObjectRef
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
    values: tuple[bytes, ...]


def pack_call(args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Parcel, list[ObjectRef[Any]]]:
    """Pickle arguments now, so that later changes to them do not leak in; return what they wait for, too.

    Raises:
        TypeError: An argument cannot be pickled; the text names it.
    """
    dependencies: list[ObjectRef[Any]] = []
    for value in args:
        if type(value) is ObjectRef:
            break
    else:
        if not kwargs:
            return _pack(args, kwargs), dependencies
    args = tuple([_place(value, dependencies) for value in args])
    kwargs = {name: _place(value, dependencies) for name, value in kwargs.items()}
    return _pack(args, kwargs), dependencies


def pack_creation(args: Sequence[Any], kwargs: dict[str, Any]) -> Parcel:
    """Pickle the arguments of a constructor; references among them are resolved by the worker, each time it starts.

    Raises:
        TypeError: An argument cannot be pickled; the text names it.
    """
    return _pack(args, kwargs)


def attach(parcel: Parcel, dependencies: Sequence[ObjectRef[Any]], result: Result) -> tuple[bytes, list[str]] | None:
    """Return the body of a call whose references have their values, and all that it carries.

    When one of them is an error, the call's result is that error, it is not to be sent, and the answer is None.
    """
    targets = parcel.targets
    if not dependencies:
        return parcel.body, targets
    values: list[bytes] = []
    for ref in dependencies:
        found = ref._result  # noqa: SLF001
        if found.status != STATUS_OK:
            assert found.status is not None
            result.resolve(found.status, found.body)
            return None
        body, carried = found.body, getattr(found.keep, "targets", [])
        if ref._index is not None:  # noqa: SLF001
            own = _serde.pack(ref._value())  # noqa: SLF001
            body, carried = own.body, own.targets
        values.append(body)
        targets += [target for target in carried if target not in targets]
    return _serde.pack(Attached(parcel.body, tuple(values))).body, targets


def unpack_call(body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, in the worker.

    Raises:
        Exception: Whatever unpickling raises.
    """
    found = _serde.unpack(body)
    if not isinstance(found, Attached):
        args, kwargs = found
        return args, kwargs
    args, kwargs = _serde.unpack(found.arguments)
    values = found.values
    return (
        tuple(_fill(value, values) for value in args),
        {name: _fill(value, values) for name, value in kwargs.items()},
    )


def _pack(args: Sequence[Any], kwargs: dict[str, Any]) -> Parcel:
    try:
        return _serde.pack((args, kwargs))
    except Exception as error:
        raise _blame(args, kwargs, error) from error


def _place(value: Any, dependencies: list[ObjectRef[Any]]) -> Any:
    if not isinstance(value, ObjectRef):
        return value
    dependencies.append(value)
    return Place(len(dependencies) - 1)


def _fill(value: Any, values: tuple[bytes, ...]) -> Any:
    return _serde.unpack(values[value.index]) if isinstance(value, Place) else value


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
