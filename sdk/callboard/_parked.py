"""A value in a segment, as its taker has it: opened when it is wanted, freed when nobody can want it any more."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from callboard import _serde
from callboard.exceptions import ObjectLostError
from callboard_broker.mappings import Mapping
from callboard_broker.segments import SegmentGoneError

if TYPE_CHECKING:
    from callboard_broker.segments import Segments


class Parked:
    """A value that lies on the shelf of this client.

    Its segment is freed when neither this is left nor a view into it, of an array for example.

    Args:
        segments: Where it lies.
        owner: This client.
        name: Its name on the shelf.
        stub: What `_serde.unpack_apart` needs to know; verified.
    """

    __slots__ = ("__weakref__", "_name", "_owner", "_pid", "_pinned", "_segments", "forked", "stub")

    def __init__(self, segments: Segments, owner: str, name: str, stub: bytes) -> None:
        self._segments = segments
        self._owner = owner
        self._name = name
        self._pid = os.getpid()
        self._pinned: Mapping | bytes | None = None
        self.stub = stub
        #: Whether a forked process may have it mapped, too.
        self.forked = False

    def load(self) -> Any:
        """Return the value, freshly unpickled; its arrays are read-only views.

        Raises:
            ObjectLostError: The segment is gone.
            Exception: Whatever unpickling raises.
        """
        if _serde.has_views(self.stub) or self._pinned is not None:
            return _serde.unpack_apart(self.content(), self.stub)
        try:
            with self._segments.look(self._owner, self._name, _serde.length(self.stub)) as shown:
                return _serde.unpack_apart(shown, self.stub)
        except SegmentGoneError as error:
            raise self._lost(error) from error

    def content(self) -> Mapping | bytes:
        """Return the parts of the value, one after the other.

        Raises:
            ObjectLostError: The segment is gone.
        """
        if self._pinned is not None:
            return self._pinned
        found = self._read()
        if isinstance(found, Mapping):
            found.keeper = self
        return found

    def pin(self) -> None:
        """Keep the value for this process alone: its shelf is about to go."""
        with contextlib.suppress(ObjectLostError):
            self._pinned = self._read()

    def _read(self) -> Mapping | bytes:
        try:
            return self._segments.read(self._owner, self._name, _serde.length(self.stub))
        except SegmentGoneError as error:
            raise self._lost(error) from error

    def _lost(self, error: SegmentGoneError) -> ObjectLostError:
        return ObjectLostError(
            f"the value of {self._owner}/{self._name.partition('.')[0]} is lost: {error}. Has somebody cleared the "
            "shared memory? systemd does when its user logs out, unless RemoveIPC=no."
        )

    def __del__(self) -> None:
        if os.getpid() == self._pid and not sys.is_finalizing():
            self._segments.free(self._owner, self._name, again=not self.forked)
