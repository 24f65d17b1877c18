"""Large values of a worker: arguments that came in segments, and outcomes that it gives in them."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from callboard import _serde
from callboard._arguments import arguments_in
from callboard._parking import FIELDS
from callboard.exceptions import ObjectLostError
from callboard_broker import ids
from callboard_broker.deaths import STATUS_WANTED
from callboard_broker.envelope import Outcome, open_fields
from callboard_broker.operations import calls
from callboard_broker.segments import SegmentGoneError
from callboard_broker.wire import entries, integer, mapping

if TYPE_CHECKING:
    from callboard._serde import Parcel
    from callboard.worker._settings import Settings, TaskSettings
    from callboard_broker.envelope import Call
    from callboard_broker.mappings import Mapping
    from callboard_broker.wire import Wire

#: Seconds between looks at whether wanted arguments are there.
_LOOK_AGAIN: Final = 0.01
#: Callers of whom is kept whether they are on this host.
_CALLERS: Final = 4096


class Parking:
    """The segments of a worker's calls.

    Args:
        settings: Who it is.
        giver: What its outcomes are named by: the token of its incarnation, or its id.
    """

    def __init__(self, settings: Settings | TaskSettings, giver: str) -> None:
        self._settings = settings
        self._giver = giver
        self._segments = settings.segments
        self._near: dict[bytes, bool] = {}

    def near(self, call: Call) -> bool:
        """Tell whether large outcomes of a call go into segments, as its caller is on this host."""
        if self._segments is None:
            return False
        caller = call.id[: call.id.rfind(b"/")]
        found = self._near.get(caller)
        if found is None:
            if len(self._near) >= _CALLERS:
                self._near.clear()
            found = self._near[caller] = self._segments.near(caller.decode())
        return found

    def give(self, call: Call, parcel: Parcel) -> bool:
        """Put a result that was packed apart into a segment; tell whether there was room."""
        assert self._segments is not None
        assert parcel.apart is not None
        caller, _, number = call.id.decode().rpartition("/")
        if not self._segments.write(caller, f"{number}.{self._giver}", parcel.apart.laid_out()):
            return False
        parcel.settle()
        parcel.body = b"%b %b" % (self._giver.encode(), parcel.body)
        return True

    def missing(self, call: Call) -> bool:
        """Tell whether the segment with the arguments of a call cannot be opened, at this moment."""
        return self._segments is None or not self._segments.there(*self._where(call))

    def arguments(self, call: Call, content: bytes | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call that lie in a segment, or did, and were fetched from the caller.

        Raises:
            ObjectLostError: They cannot be had.
            Exception: Whatever unpickling raises.
        """
        if content is None and self._segments is not None and not _serde.has_views(call.body):
            with (
                contextlib.suppress(SegmentGoneError),
                self._segments.look(*self._where(call), _serde.length(call.body)) as shown,
            ):
                return arguments_in(_serde.unpack_apart(shown, call.body))
        found = content or self._open(call) or self.fetch(call)
        return arguments_in(_serde.unpack_apart(found, call.body))

    def fetch(self, call: Call) -> bytes:
        """Have the caller publish what was in a segment, and return it; for any thread.

        Raises:
            ObjectLostError: The caller is gone, does not answer, or has taken the call back.
            BrokerError: Redis cannot be asked.
        """
        settings = self._settings
        wire = settings.broker.connect(f"fetch:{self._giver}", patience=settings.heartbeat_timeout)
        try:
            wanted = settings.broker.seal_outcome(call.caller, Outcome(call.id, STATUS_WANTED, b"", b""))
            wire.call(*calls.tell_caller(settings.broker.keys, call.caller, wanted))
            return self._published(call, wire)
        finally:
            wire.close()

    def _open(self, call: Call) -> bytes | Mapping | None:
        if self._segments is None:
            return None
        try:
            return self._segments.read(*self._where(call), _serde.length(call.body))
        except SegmentGoneError:
            return None

    def _where(self, call: Call) -> tuple[str, str]:
        """Return on whose shelf the arguments of a call lie, and under which name."""
        caller, _, number = call.id.decode().rpartition("/")
        return caller, f"{number}.{self._settings.whose}"

    def _published(self, call: Call, wire: Wire) -> bytes:
        settings, keys = self._settings, self._settings.broker.keys
        name, patience = ids.arguments_id(call.id.decode()), 2 * settings.heartbeat_timeout
        until = time.monotonic() + patience
        while True:
            stored, lives, *left = wire.pipeline(
                [
                    ("HGETALL", keys.object(name)),
                    ("EXISTS", keys.inbox(call.caller)),
                    *(
                        ("XRANGE", stream(settings.whose), call.entry, call.entry)
                        for stream in (keys.mailbox, keys.sealed)
                    ),
                ]
            )
            found = mapping(stored)
            if found:
                content = open_fields(settings.broker.signer("object", name), FIELDS, found, f"the object {name}")
                if found[FIELDS[0]] == call.body:
                    return content
            why = "the process that made the call is gone" if not integer(lives) else ""
            why = why or ("the call was taken back" if not any(map(entries, left)) else "")
            if not why and time.monotonic() > until:
                why = f"the process that made the call did not send them again within {patience:g} s"
            if why:
                raise ObjectLostError(
                    f"the arguments of {call.method} are lost: they were in the shared memory of another host, or of "
                    f"this one before it was restarted, and {why}."
                )
            threading.Event().wait(_LOOK_AGAIN)
