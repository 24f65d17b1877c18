"""Pickling and unpickling: the only module that unpickles anything, and only what has been verified.

Plain data goes through the C pickler. Everything else goes through cloudpickle, which also takes functions and classes
of ``__main__``. While a parcel is packed, handles and object references that turn up in it are collected, so that
whoever sends it can lend what it carries. What goes into a segment is packed *apart*: in parts that are not joined, as
arrays and long strings need not be copied then.
"""

from __future__ import annotations

import io
import itertools
import pickle
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._holding import Hold
    from callboard._ref import ObjectRef
    from callboard_broker.mappings import Mapping
    from callboard_broker.segments import Part

_PROTOCOL: Final = 5
#: The arguments of a call that has none: they are neither pickled nor unpickled.
NO_ARGUMENTS: Final = pickle.dumps(((), {}), _PROTOCOL)
_SCALARS: Final = frozenset({int, str, bytes, float, bool, type(None)})
#: Those that are looked at no further.
_USUAL: Final = _SCALARS - {bytes}
_CONTAINERS: Final = frozenset({tuple, list, dict})
#: Elements up to which a container is looked through before the slower pickler is taken.
_SMALL: Final = 32
#: Bytes from which a value goes into a segment where it can.
LARGE: Final = 100_000
#: What comes apart from the pickle begins at multiples of this, as arrays like it.
_ALIGNED: Final = 64
#: Bytes that Redis takes in one piece, unless its `proto-max-bulk-len` says otherwise.
LARGEST: Final = 512 << 20


@dataclass(slots=True)
class Parcel:
    """Pickled data and what it carries.

    Attributes:
        body: The pickle; empty when it is apart.
        actors: Handles in it, by actor id; keeping them keeps the actors.
        refs: Object references in it, by id.
        apart: The pickle and its buffers, when they are large and were to be packed apart.
    """

    body: bytes
    actors: dict[str, Hold]
    refs: dict[str, ObjectRef[Any]]
    apart: Apart | None = None

    @property
    def carries(self) -> bool:
        """Tell whether there is anything to lend."""
        return bool(self.actors) or bool(self.refs)

    def settle(self) -> None:
        """Have the stub for a body, as what is apart lies in a segment now."""
        assert self.apart is not None
        self.body, self.apart = self.apart.stub, None

    @property
    def targets(self) -> list[str]:
        """Return what it carries, as it is written into entries."""
        return [f"a:{actor}" for actor in self.actors] + [f"o:{ref}" for ref in self.refs]


class Apart:
    """A large value, in parts that lie where they were, one after the other.

    It is valid only as long as nobody changes what was packed.
    """

    __slots__ = ("buffers", "parts", "size")

    def __init__(self) -> None:
        #: What the pickle consists of.
        self.parts: list[Part] = []
        #: Buffers that are not in the pickle.
        self.buffers: list[memoryview] = []
        #: Bytes of the pickle.
        self.size = 0

    def write(self, part: Part | pickle.PickleBuffer) -> None:
        """Take some of the pickle; what picklers need of a file."""
        known = part.raw() if isinstance(part, pickle.PickleBuffer) else part
        self.parts.append(known)
        self.size += len(known)

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """Take a buffer that need not be in the pickle; tell whether it is to be in it all the same."""
        raw = buffer.raw()
        if raw.nbytes < LARGE:
            return True
        self.buffers.append(raw)
        return False

    @property
    def large(self) -> bool:
        """Tell whether it is more than goes through Redis."""
        return bool(self.buffers) or self.size >= LARGE

    @property
    def stub(self) -> bytes:
        """Return what `unpack_apart` needs to know: the length of each part."""
        return b" ".join([b"%d" % length for length in (self.size, *map(len, self.buffers))])

    def laid_out(self) -> list[Part]:
        """Return all of it in order, each buffer where it is to begin."""
        laid, end = [*self.parts], self.size
        for buffer in self.buffers:
            laid += (bytes(-end % _ALIGNED), buffer)
            end += -end % _ALIGNED + len(buffer)
        return laid


class _Packing(threading.local):
    parcel: Parcel | None = None


_packing = _Packing()


def parcel_being_packed() -> Parcel | None:
    """Return the parcel that this thread is packing, for handles and references that are being pickled into it."""
    return _packing.parcel


def pack(value: object) -> Parcel:
    """Pickle a value and collect what it carries.

    Raises:
        ValueError: It is too large for Redis.
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
    if len(parcel.body) > LARGEST:
        # The server would close the connection, and again when it is sent again: nothing else would go through.
        raise ValueError(
            f"{len(parcel.body):,} bytes are more than Redis takes in one piece ({LARGEST:,} bytes): pass it on in "
            "parts, or write it to a file and pass on the path"
        )
    return parcel


def pack_apart(value: object) -> Parcel:
    """Pickle a value as `pack` does, but leave it in parts when it is large. Raises as `pack` does."""
    apart = Apart()
    parcel = Parcel(b"", {}, {}, apart)
    outer, _packing.parcel = _packing.parcel, parcel
    try:
        pickler = pickle.Pickler if type(value) in _SCALARS else cloudpickle.Pickler
        pickler(apart, protocol=_PROTOCOL, buffer_callback=apart.take).dump(value)
    finally:
        _packing.parcel = outer
    if not apart.large:
        parcel.body, parcel.apart = b"".join(apart.parts), None
    return parcel


def pack_plain(value: object) -> bytes | None:
    """Pickle plain data, which carries nothing; return None when the value is large, or may be something else."""
    if type(value) in _USUAL or _plain(value, 3):
        body = pickle.dumps(value, _PROTOCOL)
        return body if len(body) < LARGE else None
    return None


def pack_plain_call(args: Sequence[Any], kwargs: dict[str, Any]) -> bytes | None:
    """Pickle the arguments of a call as `pack_plain` does."""
    if not kwargs:
        if not args:
            return NO_ARGUMENTS
        for value in args:
            if type(value) not in _USUAL and not _plain(value, 2):
                return None
        body = pickle.dumps((args, kwargs), _PROTOCOL)
        return body if len(body) < LARGE else None
    return pack_plain((args, kwargs))


def unpack(body: bytes) -> Any:
    """Unpickle what has been verified, or what this very process pickled.

    Raises:
        Exception: Whatever unpickling raises: a module that is missing here, a hook that fails.
    """
    return pickle.loads(body)  # noqa: S301 - verified before, by everybody who calls this


def length(stub: bytes) -> int:
    """Return how many bytes the parts take that a stub describes."""
    *_, (begin, size) = _places(stub)
    return begin + size


def has_views(stub: bytes) -> bool:
    """Tell whether what is unpickled will have views into the content."""
    return b" " in stub


def unpack_apart(content: bytes | memoryview | Mapping | pickle.PickleBuffer, stub: bytes) -> Any:
    """Unpickle a value that was packed apart. Its arrays are views into the content, and read-only.

    The stub must have been verified, and the content, too, unless it comes from where only this user can write.

    Raises:
        Exception: Whatever unpickling raises.
    """
    whole = memoryview(content)
    pickled, *buffers = [whole[begin : begin + size] for begin, size in _places(stub)]
    return pickle.loads(pickled, buffers=buffers)  # noqa: S301 - as above


def _places(stub: bytes) -> list[tuple[int, int]]:
    sizes = [int(part) for part in stub.split()]
    begins = itertools.accumulate(sizes[:-1], lambda end, size: end + size + -(end + size) % _ALIGNED, initial=0)
    return list(zip(begins, sizes, strict=True))


def _plain(value: Any, depth: int) -> bool:
    """Tell whether the C pickler alone does: no functions, no classes, no handles, nothing long that it would copy."""
    kind = type(value)
    if kind is bytes:
        return len(value) < LARGE
    if kind in _SCALARS:
        return True
    if not depth or kind not in _CONTAINERS or len(value) > _SMALL:
        return False
    if kind is dict and not _plain(tuple(value), 1):
        return False
    # A loop, not `all`: this runs for each call, and a generator costs more than what it looks at.
    for item in value.values() if kind is dict else value:
        if type(item) not in _USUAL and not _plain(item, depth - 1):
            return False
    return True
