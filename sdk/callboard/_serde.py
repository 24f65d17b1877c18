"""Pickling and unpickling: the only module that unpickles anything, and only what has been verified.

Plain data goes through the C pickler. Everything else goes through cloudpickle, which also takes functions and classes
of ``__main__``. While a parcel is packed, handles and object references that turn up in it are collected, so that
whoever sends it can lend what it carries.
"""

from __future__ import annotations

import io
import pickle
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._holding import Hold
    from callboard._ref import ObjectRef

_PROTOCOL: Final = 5
_SCALARS: Final = frozenset({int, str, bytes, float, bool, type(None)})
_CONTAINERS: Final = frozenset({tuple, list, dict})
#: Elements up to which a container is looked through before the slower pickler is taken.
_SMALL: Final = 32


@dataclass(slots=True)
class Parcel:
    """Pickled data and what it carries.

    Attributes:
        body: The pickle.
        actors: Handles in it, by actor id; keeping them keeps the actors.
        refs: Object references in it, by id.
    """

    body: bytes
    actors: dict[str, Hold]
    refs: dict[str, ObjectRef[Any]]

    @property
    def carries(self) -> bool:
        """Tell whether there is anything to lend."""
        return bool(self.actors) or bool(self.refs)

    @property
    def targets(self) -> list[str]:
        """Return what it carries, as it is written into entries."""
        return [f"a:{actor}" for actor in self.actors] + [f"o:{ref}" for ref in self.refs]


class _Packing(threading.local):
    parcel: Parcel | None = None


_packing = _Packing()


def parcel_being_packed() -> Parcel | None:
    """Return the parcel that this thread is packing, for handles and references that are being pickled into it."""
    return _packing.parcel


def pack(value: object) -> Parcel:
    """Pickle a value and collect what it carries.

    Raises:
        Exception: Whatever pickle or the value's own hooks raise when it cannot be pickled.
    """
    body = pack_plain(value)
    if body is not None:
        return Parcel(body, {}, {})
    parcel = Parcel(b"", {}, {})
    outer, _packing.parcel = _packing.parcel, parcel
    try:
        with io.BytesIO() as file:
            cloudpickle.Pickler(file, protocol=_PROTOCOL).dump(value)
            parcel.body = file.getvalue()
    finally:
        _packing.parcel = outer
    return parcel


def pack_plain(value: object) -> bytes | None:
    """Pickle plain data, which carries nothing; return None when the value may be something else."""
    return pickle.dumps(value, _PROTOCOL) if type(value) in _SCALARS or _plain(value, 3) else None


def pack_plain_call(args: Sequence[Any], kwargs: dict[str, Any]) -> bytes | None:
    """Pickle the arguments of a call if they are plain data; return None when they may be something else."""
    if not kwargs:
        for value in args:
            if type(value) not in _SCALARS and not _plain(value, 2):
                return None
        return pickle.dumps((args, kwargs), _PROTOCOL)
    return pack_plain((args, kwargs))


def unpack(body: bytes) -> Any:
    """Unpickle what has been verified, or what this very process pickled.

    Raises:
        Exception: Whatever unpickling raises: a module that is missing here, a hook that fails.
    """
    return pickle.loads(body)  # noqa: S301 - verified before, by everybody who calls this


def _plain(value: Any, depth: int) -> bool:
    """Tell whether the C pickler alone does: no functions, no classes, no handles."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if not depth or kind not in _CONTAINERS or len(value) > _SMALL:
        return False
    if kind is dict and not _plain(tuple(value), 1):
        return False
    # A loop, not `all`: this runs for each call, and a generator costs more than what it looks at.
    for item in value.values() if kind is dict else value:
        if type(item) not in _SCALARS and not _plain(item, depth - 1):
            return False
    return True
