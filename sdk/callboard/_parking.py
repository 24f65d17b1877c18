"""Large values of a client: arguments that it puts into segments, and outcomes that come in them."""

from __future__ import annotations

import json
import logging
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from callboard import _serde
from callboard._parked import Parked
from callboard_broker import ids, windows
from callboard_broker.envelope import seal_fields
from callboard_broker.operations import clients
from callboard_broker.segments import SegmentGoneError
from callboard_broker.wire import items, maybe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._client import Client
    from callboard._result import Result
    from callboard._serde import Apart
    from callboard_broker.envelope import Outcome
    from callboard_broker.segments import Segments

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for which a segment that was copied stays mapped, in case it is the next to be copied, too.
_IDLE: Final = 5.0
#: Signed fields of arguments that were published because their segment could not be opened.
FIELDS: Final = ("stub",)


class Parking:
    """The shelf of a client. Where it has none, everything goes through Redis.

    Args:
        client: Whose.
        segments: Those of the callboard on this host, if there are any.
    """

    def __init__(self, client: Client, segments: Segments | None) -> None:
        self._client = client
        self._shelf = segments.shelf(client.id) if segments is not None else None
        self._segments = segments if self._shelf is not None else None
        #: Of actors that have been sent something large, whether they are on this host.
        self._near: dict[str, bool] = {}
        #: Names of the arguments that lie here, and their stubs, by call.
        self._given: dict[bytes, tuple[str, bytes]] = {}
        self._published: set[bytes] = set()
        self._leaving = False
        self._come: weakref.WeakValueDictionary[str, Parked] = weakref.WeakValueDictionary()

    def packed(self, actor: str, pack: Callable[[bool], T], size: Callable[[T], int]) -> T:
        """Pack something for an actor: apart if it is on this host, which is asked for what is large only.

        Args:
            actor: Whom it is for.
            pack: Packs it; told whether large values are to be apart.
            size: Tells how large it is in one piece.
        """
        if self._segments is None:
            return pack(False)
        near = self._near.get(actor)
        found = pack(near or False)
        if near is None and size(found) >= _serde.LARGE and self._is_near(actor):
            found = pack(True)
        return found

    def give(self, call: bytes, actor: str, apart: Apart, result: Result) -> bool:
        """Put the arguments of a call into a segment until it has its outcome; tell whether there was room."""
        assert self._segments is not None
        name = f"{_number(call)}.{actor}"
        self._given[call] = name, apart.stub
        written = False
        try:
            written = self._segments.write(self._client.id, name, apart.laid_out())
        finally:
            if not written:
                del self._given[call]
        if written:
            result.on_done(partial(self._take_back, call, actor))
        return written

    def come(self, outcome: Outcome) -> Parked:
        """Return the value of an outcome that came in a segment."""
        assert self._segments is not None
        giver, _, stub = outcome.body.partition(b" ")
        name = f"{_number(outcome.call)}.{giver.decode()}"
        found = self._come.get(name)
        if found is None:
            found = self._come[name] = Parked(self._segments, self._client.id, name, stub)
        return found

    def wanted(self, call: bytes) -> None:
        """Publish the arguments of a call soon: the worker that has the call is not on this host."""
        self._client.housekeeper.note(lambda: self._publish(call))

    def tidy(self) -> None:
        """Take away what dead or late workers have left here, and look for those who want arguments."""
        if self._shelf is None or self._segments is None:
            return
        client = self._client
        windows.close_idle(_IDLE)
        if self._given:
            # Those who wait look by themselves; perhaps nobody does.
            client.inbox.catch_up()
        for name in self._shelf.names():
            call = f"{client.id}/{name.partition('.')[0]}".encode()
            if call not in client.pending and call not in self._given and name not in self._come:
                self._segments.free(client.id, name)

    def abandon(self) -> None:
        """Take nothing back any more: the outcomes of calls that this process gives up are not those of the calls."""
        self._leaving = True

    def close(self) -> None:
        """Leave. Values that are here stay with this process; arguments stay as long as their calls."""
        if self._shelf is None or self._segments is None:
            return
        for parked in list(self._come.values()):
            parked.pin()
        kept = {name for name, _ in self._given.values()}
        for name in self._shelf.names():
            if name not in kept:
                self._segments.free(self._client.id, name)
        self._shelf.close()
        windows.close_idle(0.0)

    def _is_near(self, actor: str) -> bool:
        assert self._segments is not None
        found = self._client.ask("HMGET", self._client.keys.actor(actor), "node", "max_deliveries")
        node, deliveries = (maybe_text(part) for part in items(found))
        if not node:
            # It is not anywhere yet.
            return False
        # A call that may be set aside must keep its arguments when it has its outcome.
        near = self._near[actor] = not int(deliveries or 0) and self._segments.near(node)
        return near

    def _take_back(self, call: bytes, actor: str) -> None:
        client = self._client
        if self._leaving:
            return
        assert self._segments is not None
        with client.outbound.lock:
            name, _ = self._given.pop(call)
            published = call in self._published
            self._published.discard(call)
        self._segments.free(client.id, name)
        if published:
            # It lives elsewhere by now, perhaps here again later.
            self._near.pop(actor, None)
            arguments = ids.arguments_id(call.decode())
            member = f"object {arguments}"
            command = clients.drop_object(client.keys, arguments, f"c:{client.id}", index=client.id, member=member)
            client.outbound.post(command)

    def _publish(self, call: bytes) -> None:
        known = self._given.get(call)
        if known is None or self._segments is None:
            return
        client, (name, stub) = self._client, known
        try:
            content = bytes(self._segments.read(client.id, name, _serde.length(stub)))
        except SegmentGoneError as error:
            # The call has had its outcome just now, or nobody can help: the worker gives up waiting.
            _log.info("arguments that are wanted cannot be published: %s", error)
            return
        arguments = ids.arguments_id(call.decode())
        fields = seal_fields(client.broker.signer("object", arguments), FIELDS, [stub], content)
        with client.outbound.lock:
            if call in self._given and call not in self._published:
                self._published.add(call)
                client.outbound.post(clients.publish_object(client.keys, client.id, arguments, fields))
        client.outbound.push()


def with_segment(opts: bytes) -> bytes:
    """Return options that say of a call that its arguments lie in a segment."""
    return json.dumps({**json.loads(opts or b"{}"), "segment": True}).encode()


def _number(call: bytes) -> str:
    return call.rpartition(b"/")[2].decode()


def size_of(packed: tuple[_serde.Parcel, Any]) -> int:
    """Return how large something is in one piece."""
    return len(packed[0].body)
