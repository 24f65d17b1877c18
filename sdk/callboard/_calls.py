"""Calls of actors on their way out: numbered, packed, sent in order, kept back while their arguments are pending."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from callboard import _serde
from callboard._arguments import attach, pack_call
from callboard._parking import size_of, with_segment
from callboard._result import FINAL, Result, Sent
from callboard._route import Outgoing, Route
from callboard_broker import timing
from callboard_broker.deaths import SEALED_TERMINATE
from callboard_broker.envelope import TERMINATE, call_fields, renewed
from callboard_broker.operations import actors, calls, letters
from callboard_broker.packing import pack, unpack
from callboard_broker.wire import ReplyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard._client import Client
    from callboard._holding import Hold
    from callboard._outbound import Unacknowledged
    from callboard._serde import Parcel
    from callboard._stream import StreamResult
    from callboard._terms import Terms
    from callboard_broker.envelope import Call, Outcome
    from callboard_broker.wire import Reply

_TERMINATE = TERMINATE.encode()


class Calls:
    """Make a client's calls.

    Args:
        client: Whose calls.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._outbound = client.outbound
        self._pending = client.pending
        self._version = client.broker.version
        self._prefix = f"{client.id}/".encode()
        self._count = 0
        self._routes: dict[str, Route] = {}

    def make(
        self,
        hold: Hold,
        method: bytes,
        arguments: tuple[Sequence[Any], dict[str, Any]],
        terms: Terms,
        *,
        retries: int = 0,
        opts: bytes = b"",
        stream: StreamResult | None = None,
    ) -> tuple[str, Result]:
        """Call a method of an actor; the result comes later, whatever happens. Return the call's id and the result.

        Top-level references among the arguments are replaced by their values. While one of them is pending, the call
        waits here; of an actor that keeps the order, later calls of this process wait behind it. What a call gives item
        by item goes to ``stream``, which is its result.

        Raises:
            PendingCallsLimitExceeded: The actor takes no more unfinished calls of one client.
        """
        outbound, parking = self._outbound, self._client.parking
        parcel, dependencies = parking.packed(hold.actor, lambda apart: pack_call(*arguments, apart=apart), size_of)
        result = self._client.made_here(stream or Result())
        with outbound.lock:
            route = self._routes.get(hold.actor)
            if route is None:
                route = self._routes[hold.actor] = Route(terms.ordered)
            if terms.max_pending > 0:
                route.count(result, terms.max_pending, self._client.inbox)
            call = self.next_id()
            if stream is not None:
                stream.begin(call)
        if parcel.apart is not None:
            # Written down before this returns, as it may be changed then, and without the lock, as it takes long.
            if parking.give(call, hold.actor, parcel.apart, result):
                opts = with_segment(opts)
                parcel.settle()
            else:
                parcel, _ = pack_call(*arguments)
        with outbound.lock:
            outgoing = Outgoing(hold, call, method, parcel, retries, opts, result, dependencies)
            if (route.waiting or dependencies) and route.must_wait(outgoing):
                route.waiting.append(outgoing)
            else:
                self._send(route, outgoing)
        if outbound.aftermath:
            outbound.clean_up()
        for ref in dependencies:
            if not ref._result.done:  # noqa: SLF001
                self._client.expect(ref, lambda: self._advance(route))
        return call.decode(), result

    def make_plain(
        self, hold: Hold, method: bytes, arguments: tuple[Sequence[Any], dict[str, Any]], terms: Terms
    ) -> tuple[str, Result]:
        """Do what `make` does for a call on the actor's terms, with fewer steps when its arguments are plain data."""
        body = _serde.pack_plain_call(*arguments)
        route = self._routes.get(hold.actor)
        if body is None or route is None or terms.max_pending > 0:
            return self.make(hold, method, arguments, terms, retries=terms.retries)
        outbound, result, call = self._outbound, self._client.made_here(Result()), b""
        with outbound.lock:
            if not route.waiting:
                call = self.next_id()
                self._send_plain(route, hold, call, method, terms.retries, body, result)
        if not call:
            return self.make(hold, method, arguments, terms, retries=terms.retries)
        if outbound.aftermath:
            outbound.clean_up()
        return call.decode(), result

    def retry(self, hold: Hold, letter: str, call: Call) -> Result:
        """Make the call of a dead letter anew, as one of this client; the result comes later.

        What it carried has been released when it was set aside.
        """
        client, result = self._client, Result()
        kept = {name: value for name, value in json.loads(call.opts or b"{}").items() if name != "carries"}
        opts = json.dumps(kept).encode() if kept else b""
        with self._outbound.lock:
            route = self._routes.setdefault(hold.actor, Route(ordered=False))
            route.seq += 1
            identity = self.next_id()
            self._pending[identity] = result
            fields = call_fields(
                hold.signer, self._version, identity, route.seq, call.method.encode(), call.retries, timing.latest_ms(),
                opts, call.body,
            )  # fmt: skip
            packed = pack(letters.retry_letter(client.keys, hold.actor, letter, fields))
            self._outbound.post_locked(packed, partial(self._acknowledged, hold.actor, route.seq, identity, packed))
        return result

    def terminate(self, hold: Hold, terms: Terms) -> tuple[str, Result]:
        """Call ``__ray_terminate__``: the actor ends after the calls before it, and takes none after it."""
        return self.make(hold, _TERMINATE, ((), {}), terms)

    def next_id(self) -> bytes:
        """Make the id of a call; the caller holds the outbound lock."""
        self._count += 1
        return self._prefix + b"%d" % self._count

    def withdraw(self, result: Result, outcome: Outcome) -> bool:
        """Give a call that waits here to be sent an outcome instead; tell whether it is one."""
        with self._outbound.lock:
            route = next((route for route in self._routes.values() if route.withdraw(result)), None)
        if route is None:
            return False
        result.resolve(outcome.status, outcome.body)
        self._advance(route)
        return True

    def again(self, call: bytes, sent: Sent) -> list[Unacknowledged]:
        """Return what posts a call once more that the server may have forgotten, with the same id and number."""
        client = self._client
        # It may have waited for longer than what was signed may take to get to the mailbox.
        command = pack(
            tuple(renewed(client.broker.signer("call", sent.actor), unpack(sent.command), timing.latest_ms()))
        )
        sent = sent._replace(command=command)
        if sent.targets:
            lends = client.holdings.lending(sent.targets, _token(call), sent.actor)
            return [*lends, (command, self._handing_over(sent, call, None))]
        return [(command, partial(self._acknowledged, sent.actor, sent.seq, call, command))]

    @property
    def waiting(self) -> list[tuple[bytes, Result]]:
        """Return the calls that wait here to be sent, with their results."""
        return [(outgoing.id, outgoing.result) for route in self._routes.values() for outgoing in route.waiting]

    def abandon(self) -> list[Result]:
        """Give up the calls that wait, and return their results; the caller holds the outbound lock."""
        found = [result for _, result in self.waiting]
        for route in self._routes.values():
            route.waiting.clear()
        return found

    def forget_route(self, actor: str) -> None:
        """Forget the way to an actor that takes no more calls."""
        self._routes.pop(actor, None)

    def _send(self, route: Route, out: Outgoing) -> None:
        """Number a call and send it; the caller holds the lock."""
        parcel = out.parcel
        targets = parcel.targets if parcel.carries else []
        if out.dependencies:
            attached = self._attached(out)
            if attached is None:
                return
            parcel, targets = attached
        body = parcel.body
        if not (targets or out.opts or out.method == _TERMINATE):
            self._send_plain(route, out.hold, out.id, out.method, out.retries, body, out.result)
            return
        route.seq += 1
        self._pending[out.id] = out.result
        if targets:
            self._send_carrying(route.seq, out, body, targets)
            return
        fields = self._fields(route.seq, out, out.opts, body)
        actor, keys = out.hold.actor, self._client.keys
        if out.method == _TERMINATE:
            command, seq = actors.seal(keys, actor, SEALED_TERMINATE, fields), FINAL
        else:
            command, seq = calls.post(keys.mailbox(actor), fields), route.seq
        packed = pack(command)
        self._outbound.post_locked(packed, partial(self._acknowledged, actor, seq, out.id, packed))

    def _attached(self, out: Outgoing) -> tuple[Parcel, list[str]] | None:
        """Return the arguments of a call with the values of the references among them; None when one is an error."""
        parking, actor = self._client.parking, out.hold.actor

        def attached(apart: bool) -> tuple[Parcel, list[str]] | None:
            return attach(out.parcel, out.dependencies, out.result, apart=apart)

        found = parking.packed(actor, attached, lambda found: size_of(found) if found else 0)
        if found is None or found[0].apart is None:
            return found
        if not parking.give(out.id, actor, found[0].apart, out.result):
            return attached(apart=False)
        found[0].settle()
        out.opts = with_segment(out.opts)
        return found

    def _send_plain(
        self, route: Route, hold: Hold, call: bytes, method: bytes, retries: int, body: bytes, result: Result
    ) -> None:
        route.seq = seq = route.seq + 1
        self._pending[call] = result
        packed = hold.writer.write(call, seq, method, retries, timing.latest_ms(), body)
        self._outbound.post_locked(packed, partial(self._acknowledged, hold.actor, seq, call, packed))

    def _send_carrying(self, seq: int, out: Outgoing, body: bytes, targets: list[str]) -> None:
        client, call, actor = self._client, out.id, out.hold.actor
        client.holdings.lend(targets, _token(call), actor)
        opts = json.dumps({**json.loads(out.opts or b"{}"), "carries": True}).encode()
        fields = self._fields(seq, out, opts, body)
        packed = pack(calls.post_carrying(client.keys, actor, client.id, call, " ".join(targets), fields))
        self._outbound.post_locked(packed, self._handing_over(Sent(actor, b"", seq, packed, targets), call, out))

    def _handing_over(self, sent: Sent, call: bytes, keep: object) -> Callable[[Reply], None]:
        """Return what takes the reply to a call that carries something; it keeps what that is."""
        holdings = self._client.holdings

        def acknowledged(reply: Reply, _keep: object = keep) -> None:
            settle = holdings.handed_over if isinstance(reply, bytes) else holdings.take_back
            self._outbound.aftermath.append(lambda: settle(sent.targets, _token(call), sent.actor))
            self._acknowledged(sent.actor, sent.seq, call, sent.command, reply, sent.targets)

        return acknowledged

    def _fields(self, seq: int, out: Outgoing, opts: bytes, body: bytes) -> tuple[bytes, ...]:
        moment = timing.latest_ms()
        return call_fields(out.hold.signer, self._version, out.id, seq, out.method, out.retries, moment, opts, body)

    def _acknowledged(
        self, actor: str, seq: int, call: bytes, command: bytes, reply: Reply, targets: Sequence[str] = ()
    ) -> None:
        if isinstance(reply, bytes):
            # Looked up, not kept by what waits for this reply: a result that nobody has any more is to go.
            result = self._pending.get(call)
            if result is not None:
                result.went = (actor, reply, seq, command, targets)
            return
        verdicts, aftermath = self._client.verdicts, self._outbound.aftermath
        if isinstance(reply, ReplyError):
            aftermath.append(lambda: verdicts.refused(call, str(reply)))
        else:
            aftermath.append(lambda: verdicts.no_mailbox(call, actor))

    def _advance(self, route: Route) -> None:
        with self._outbound.lock:
            for outgoing in route.due():
                self._send(route, outgoing)
        self._outbound.clean_up()
        self._client.inbox.wake()


def _token(call: bytes) -> str:
    return f"m:{call.decode()}"
