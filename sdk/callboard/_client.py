"""A client: this process's membership in a callboard. It numbers and sends calls and resolves what comes back."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from callboard import _definition, _serde
from callboard._arguments import attach, pack_call
from callboard._deadlocks import Deadlocks
from callboard._holding import Hold, Holdings
from callboard._housekeeper import Housekeeper
from callboard._inbox import Inbox
from callboard._objects import OBJECT, Objects
from callboard._outbound import PATIENCE, Outbound
from callboard._reader import BackgroundReader
from callboard._result import FINAL, STATUS_LOCAL, Result, Sent
from callboard._route import Outgoing, Route
from callboard._stream import StreamResult
from callboard._supervision import Supervision
from callboard._tasks import Tasks
from callboard._verdict import Verdicts
from callboard._withdrawal import Withdrawals
from callboard.exceptions import RaySystemError
from callboard_broker.deaths import SEALED_TERMINATE, STATUS_HEARD
from callboard_broker.envelope import TERMINATE, call_fields
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.operations import actors, calls, clients
from callboard_broker.wire import Reply, ReplyError, checked, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from callboard._definition import ClassInfo
    from callboard._ref import ObjectRef
    from callboard._terms import Terms
    from callboard_broker.broker import Broker
    from callboard_broker.envelope import Outcome
    from callboard_broker.records import ClientRecord
    from callboard_broker.wire import Argument, Wire

TERMINATE_METHOD = TERMINATE.encode()


class Client:
    """One process's membership in a callboard.

    Args:
        broker: Where the callboard lives.
        identity: Who this process is.
        beat_interval: Seconds between heartbeats.
    """

    def __init__(self, broker: Broker, identity: ClientRecord, beat_interval: float) -> None:
        self.broker = broker
        self.keys = broker.keys
        self.identity = identity
        self.id = identity.id
        self._prefix = f"{self.id}/".encode()
        self._count = 0
        self._routes: dict[str, Route] = {}
        self._pending: dict[bytes, Result] = {}
        self._version = broker.version
        #: Classes that this client knows, by content.
        self.published: dict[str, ClassInfo] = {}
        #: Definitions that it has sent.
        self.defined: set[str] = set()
        #: Milliseconds that its actors may take over their end; 0: as the supervisor says.
        self.graceful_ms = 0
        #: What the processes of its actors have, unless these say otherwise.
        self.runtime_env: dict[str, Any] = {}
        self.asker = broker.connect(f"ask:{self.id}")
        checked(self.asker.call(*clients.register(self.keys, identity)))
        self.closed = False
        self.outbound = Outbound(lambda: self._connect("out"))
        self.housekeeper = Housekeeper(self._beat, beat_interval)
        self.holdings = Holdings(self)
        self.outcome_signer = broker.signer("outcome", self.id)
        self.inbox = Inbox(
            self.keys.inbox(self.id),
            lambda: self._connect("in"),
            self.outbound,
            self.outcome_signer,
            self.deliver,
        )
        self.reader = BackgroundReader(self.inbox)
        self.verdicts = Verdicts(self)
        self.objects = Objects(self)
        self.deadlocks = Deadlocks(self)
        self.supervision = Supervision(self, beat_interval)
        self.tasks = Tasks(self)
        self.withdrawals = Withdrawals(self)
        #: Entered while a thread waits for outcomes; a worker that runs tasks lends its room to others meanwhile.
        self.pausing: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self._confirming = False
        self.housekeeper.start()

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds; it only bounds the age of replayed entries."""
        return int(time.time() * 1000)

    def ask(self, *command: Argument) -> Reply:
        """Send a question on a connection of its own and return the answer.

        Raises:
            BrokerRefusedError: The server answered with an error.
            BrokerUnreachableError: Nobody answers for `PATIENCE` seconds.
        """
        with self.outbound.lock:
            if self.asker.broken:
                if self.outbound.closed:
                    raise BrokerUnreachableError("this client has been shut down")
                self.asker.close()
                self.asker = self._connect("ask")
            return self.asker.call(*command)

    def call(
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
        parcel, dependencies = pack_call(*arguments)
        result = stream or Result()
        with self.outbound.lock:
            route = self._routes.get(hold.actor)
            if route is None:
                route = self._routes[hold.actor] = Route(terms.ordered)
            if terms.max_pending > 0:
                route.count(result, terms.max_pending, self.inbox)
            call = self.next_call()
            if stream is not None:
                stream.begin(call)
            outgoing = Outgoing(hold, call, method, parcel, retries, opts, result, dependencies)
            if (route.waiting or dependencies) and route.must_wait(outgoing):
                route.waiting.append(outgoing)
            else:
                self._send(route, outgoing)
        if self.outbound.aftermath:
            self.outbound.clean_up()
        for ref in dependencies:
            if not ref._result.done:  # noqa: SLF001
                self.expect(ref, lambda: self._advance(route))
        return call.decode(), result

    def next_call(self) -> bytes:
        """Make the id of a call; the caller holds the outbound lock."""
        self._count += 1
        return self._prefix + b"%d" % self._count

    def await_outcome(self, call: bytes, result: Result) -> None:
        """Have a result resolved when the outcome of its call comes."""
        self._pending[call] = result

    def terminate(self, hold: Hold, terms: Terms) -> tuple[str, Result]:
        """Call ``__ray_terminate__``: the actor ends after the calls before it, and takes none after it."""
        return self.call(hold, TERMINATE_METHOD, ((), {}), terms)

    def withdraw(self, result: Result, outcome: Outcome) -> bool:
        """Give a call that waits here to be sent an outcome instead; tell whether it is one."""
        with self.outbound.lock:
            route = next((route for route in self._routes.values() if route.withdraw(result)), None)
        if route is None:
            return False
        result.resolve(outcome.status, outcome.body)
        self._advance(route)
        return True

    def awaits(self, call: bytes) -> bool:
        """Tell whether a call was made here and has no outcome."""
        return call in self._pending

    def tell(self, actor: str, op: str, call: bytes, number: int) -> None:
        """Tell an actor's worker something about a call of this client, soon."""
        self.outbound.post(calls.tell(self.keys, actor, op, call, number), _ignore)

    def confirm_soon(self) -> None:
        """Read acknowledgements soon although nobody may be waiting: until then they keep what messages carry."""
        if not self._confirming:
            self._confirming = True
            self.housekeeper.note(self._confirm)

    def expect(self, ref: ObjectRef[Any], callback: Callable[[], None]) -> None:
        """Have a callback run when a reference has its value, even if no thread waits for it.

        Raises:
            RaySystemError: The value cannot come any more.
        """
        if not ref._result.done:  # noqa: SLF001
            self.require_open(ref)
        self.objects.want(ref)
        self.reader.expect(ref._result, callback)  # noqa: SLF001

    def class_info(self, sha: str) -> ClassInfo:
        """Return what a handle needs to know of a class, read once; of one that is gone, that its actors are dead.

        Raises:
            EnvelopeError: The definition is not one that we signed.
        """
        found = self.published.get(sha)
        if found is None:
            try:
                with self.outbound.lock:
                    found, _ = _definition.fetch(self.broker, self.asker, sha)
            except _definition.DefinitionMissingError:
                return _definition.ForgottenClass(sha)
            self.published[sha] = found
        return found

    def wait(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until something holds that outcomes bring about; tell whether it does."""
        if ready():
            return True
        with self.pausing():
            return self.inbox.wait(ready, None if timeout is None else time.monotonic() + timeout)

    def deliver(self, outcome: Outcome) -> None:
        """Resolve the call that an outcome belongs to; one that nobody waits for gives back what it carries."""
        if outcome.status == STATUS_HEARD:
            self.withdrawals.heard(outcome.call)
            return
        result = self._pending.pop(outcome.call, None)
        targets = outcome.tokens.decode().split()
        keep = self.holdings.tokens(outcome.call.decode(), targets) if targets else None
        if result is not None:
            result.resolve(outcome.status, outcome.body, keep)
        elif outcome.call.startswith(OBJECT):
            self.objects.arrived(outcome.call.removeprefix(OBJECT).decode())
        else:
            call, _, number = outcome.call.partition(b"#")
            stream = self._pending.get(call)
            if isinstance(stream, StreamResult):
                stream.arrived(int(number), outcome.status, outcome.body, keep)

    def fail(self, call: bytes, status: bytes, body: bytes) -> None:
        """Resolve a call that the broker did not take."""
        result = self._pending.pop(call, None)
        if result is not None:
            result.resolve(status, body)
            self.inbox.wake()

    def require_open(self, thing: object) -> None:
        """Refuse a handle or a reference of a callboard that this process has left.

        Raises:
            RaySystemError: This client is closed.
        """
        if self.closed:
            raise RaySystemError(
                f"{thing!r} was used after shutdown(): it belongs to a callboard that this process has left. Call "
                "init() and get a new one, for example by get_actor()."
            )

    @property
    def waits_to_send(self) -> bool:
        """Tell whether there are calls whose arguments are pending."""
        return self.tasks.waiting or any(route.waiting for route in self._routes.values())

    def forget_route(self, actor: str) -> None:
        """Forget the way to an actor that takes no more calls."""
        self._routes.pop(actor, None)

    def close(self, *, goodbye: bool) -> None:
        """Leave the callboard: what was noted and sent so far counts; whoever waits for open calls gets an error.

        Args:
            goodbye: Whether to say so, which ends this client's actors gracefully and at once.
        """
        if self.closed:
            return
        self.closed = True
        self.housekeeper.stop()
        if goodbye:
            with contextlib.suppress(BrokerUnreachableError):
                self.outbound.post(clients.say_goodbye(self.keys, self.id), _ignore)
                self.outbound.post(clients.request_burial(self.keys, self.id), _ignore)
                self.outbound.flush()
        self._abandon()
        self.inbox.close()
        self.reader.stop()
        self.outbound.close()
        self.asker.close()

    def _abandon(self) -> None:
        """Resolve every open call: outcomes cannot come any more."""
        error = RaySystemError("this process has left the callboard by shutdown() before the value came")
        body = _serde.pack(error).body
        with self.outbound.lock:
            results = [*self._pending.values(), *self.objects.awaited(), *self.tasks.abandon()]
            for route in self._routes.values():
                results += [outgoing.result for outgoing in route.waiting]
                route.waiting.clear()
        for result in results:
            result.resolve(STATUS_LOCAL, body)

    def _send(self, route: Route, out: Outgoing) -> None:
        """Number a call and send it; the caller holds the lock."""
        parcel = out.parcel
        body, targets = parcel.body, parcel.targets if parcel.carries else []
        if out.dependencies:
            attached = attach(parcel, out.dependencies, out.result)
            if attached is None:
                return
            body, targets = attached
        route.seq += 1
        seq, call, actor = route.seq, out.id, out.hold.actor
        self._pending[call] = out.result
        if targets:
            self._send_carrying(seq, out, body, targets)
        elif out.method == TERMINATE_METHOD:
            command = actors.seal(self.keys, actor, SEALED_TERMINATE, self._fields(seq, out, out.opts, body))
            self.outbound.post_locked(pack(command), lambda reply: self._acknowledged(call, actor, FINAL, reply))
        elif out.opts:
            command = calls.post(self.keys.mailbox(actor), self._fields(seq, out, out.opts, body))
            self.outbound.post_locked(pack(command), lambda reply: self._acknowledged(call, actor, seq, reply))
        else:
            packed = out.hold.writer.write(call, seq, out.method, out.retries, self.now_ms(), body)
            self.outbound.post_locked(packed, lambda reply: self._acknowledged(call, actor, seq, reply))

    def _send_carrying(self, seq: int, out: Outgoing, body: bytes, targets: list[str]) -> None:
        call, actor = out.id, out.hold.actor
        token = f"m:{call.decode()}"
        self.holdings.lend(targets, token, actor)
        opts = json.dumps({**json.loads(out.opts or b"{}"), "carries": True}).encode()

        def acknowledged(reply: Reply, _keep: Outgoing = out) -> None:
            settle = self.holdings.handed_over if isinstance(reply, bytes) else self.holdings.take_back
            self.outbound.aftermath.append(lambda: settle(targets, token, actor))
            self._acknowledged(call, actor, seq, reply)

        fields = self._fields(seq, out, opts, body)
        command = calls.post_carrying(self.keys, actor, self.id, call, " ".join(targets), fields)
        self.outbound.post_locked(pack(command), acknowledged)

    def _fields(self, seq: int, out: Outgoing, opts: bytes, body: bytes) -> tuple[bytes, ...]:
        return call_fields(
            out.hold.signer, self._version, out.id, seq, out.method, out.retries, self.now_ms(), opts, body
        )

    def _acknowledged(self, call: bytes, actor: str, seq: int, reply: Reply) -> None:
        if isinstance(reply, bytes):
            result = self._pending.get(call)
            if result is not None:
                result.sent = Sent(actor, reply, seq)
            return
        if isinstance(reply, ReplyError):
            self.outbound.aftermath.append(lambda: self.verdicts.refused(call, str(reply)))
        else:
            self.outbound.aftermath.append(lambda: self.verdicts.no_mailbox(call, actor))

    def _advance(self, route: Route) -> None:
        with self.outbound.lock:
            for outgoing in route.due():
                self._send(route, outgoing)
        self.outbound.clean_up()
        self.inbox.wake()

    def _confirm(self) -> None:
        self._confirming = False
        self.outbound.flush()

    def _beat(self) -> None:
        reply = self.ask(*clients.beat_client(self.keys, self.id))
        assert reply is not None
        if self.identity.kind == "driver":
            # A worker whose supervisor is gone leaves by itself.
            self.supervision.look()

    def _connect(self, role: str) -> Wire:
        # Nobody should wait long for a server that is gone when all that is left to do is to say goodbye.
        return self.broker.connect(f"{role}:{self.id}", patience=0.0 if self.closed else PATIENCE)


def _ignore(reply: Reply) -> None:
    """Pass over a reply that changes nothing for us."""
