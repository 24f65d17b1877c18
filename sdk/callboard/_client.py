"""A client: this process's membership in a callboard. It resolves what comes back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from callboard import _definition, _serde
from callboard._calls import Calls
from callboard._consumer import Consumer
from callboard._deadlocks import Deadlocks
from callboard._holding import Holdings
from callboard._housekeeper import Housekeeper
from callboard._inbox import Inbox
from callboard._lookups import Lookups
from callboard._missing import Missing
from callboard._objects import OBJECT, Objects
from callboard._outbound import PATIENCE, Outbound
from callboard._parking import Parking
from callboard._reader import BackgroundReader
from callboard._recovery import Recovery
from callboard._result import STATUS_LOCAL, Result
from callboard._spin import Spin
from callboard._stream import StreamResult
from callboard._supervision import Supervision
from callboard._tasks import Tasks
from callboard._verdict import Verdicts
from callboard._withdrawal import Withdrawals
from callboard.exceptions import RaySystemError
from callboard_broker.broker import WHO_ARE_YOU, server_id
from callboard_broker.deaths import STATUS_HEARD, STATUS_OK, STATUS_SEGMENT, STATUS_WANTED
from callboard_broker.errors import BrokerRefusedError, BrokerUnreachableError
from callboard_broker.operations import calls, clients
from callboard_broker.wire import Reply, checked, integer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from callboard._definition import ClassInfo
    from callboard._parked import Parked
    from callboard._ref import ObjectRef
    from callboard_broker.broker import Broker
    from callboard_broker.envelope import Outcome
    from callboard_broker.packing import Argument, Command
    from callboard_broker.records import ClientRecord
    from callboard_broker.segments import Segments
    from callboard_broker.wire import Wire

_log = logging.getLogger(__name__)

#: What comes to the inbox and is not simply the outcome of a call, or an item.
_SPECIAL: Final = frozenset({STATUS_HEARD, STATUS_WANTED, STATUS_SEGMENT})


class Client:
    """One process's membership in a callboard.

    Args:
        broker: Where the callboard lives.
        identity: Who this process is.
        beat_interval: Seconds between heartbeats.
        segments: Those of the callboard on this host, if there are any.
    """

    def __init__(self, broker: Broker, identity: ClientRecord, beat_interval: float, segments: Segments | None) -> None:
        self.broker = broker
        self.keys = broker.keys
        self.identity = identity
        self.id = identity.id
        #: What calls wait for their outcomes, by call.
        self.pending: dict[bytes, Result] = {}
        #: Classes that this client knows, by content.
        self.published: dict[str, ClassInfo] = {}
        #: Definitions that it has sent.
        self.defined: set[str] = set()
        #: Milliseconds that its actors may take over their end; 0: as the supervisor says.
        self.graceful_ms = 0
        #: Deaths of its actors' processes after which the call that ran each time is set aside; 0: after none.
        self.max_deliveries = 0
        #: What the processes of its actors have, unless these say otherwise.
        self.runtime_env: dict[str, Any] = {}
        self.asker = broker.connect(f"ask:{self.id}")
        registered, server = self.asker.pipeline([clients.register(self.keys, identity), WHO_ARE_YOU])
        checked(registered)
        self._leaving = threading.Event()
        #: Whether this client has left, or is leaving.
        self.closed = self._of_parent = self._confirming = False
        self.recovery = Recovery(self, server_id(server))
        self.outbound = Outbound(self._connect_outbound, self.recovery.recall, self._leaving)
        self.housekeeper = Housekeeper(self._beat, beat_interval)
        self.holdings = Holdings(self)
        self.lookups = Lookups(self.housekeeper)
        consumer = Consumer(self.keys, self.id, lambda: self._connect("in"))
        signer = broker.signer("outcome", self.id)
        self.inbox = Inbox(self.keys.inbox(self.id), consumer, self.outbound, signer, self.deliver)
        self.reader = BackgroundReader(self.inbox)
        self.verdicts = Verdicts(self)
        self.objects = Objects(self)
        self.deadlocks = Deadlocks(self) if identity.actor else None
        self.supervision = Supervision(self, beat_interval)
        self.tasks = Tasks(self)
        self.parking = Parking(self, segments)
        self.calls = Calls(self)
        self.missing = Missing(self)
        self.withdrawals = Withdrawals(self)
        #: Returns the call in which it is called, in a process that runs calls.
        self.inside: Callable[[], bytes] | None = None
        #: Entered while a thread waits for outcomes: a worker that runs tasks lends its room to others meanwhile.
        self.pausing: Callable[[], AbstractContextManager[None]] | None = None
        self._spin = Spin()
        self.housekeeper.start()

    def ask(self, *command: Argument) -> Reply:
        """Send a question on a connection of its own and return the answer.

        It is asked once more when the connection breaks, so it must be one that tolerates that.

        Raises:
            BrokerRefusedError: The server answered with an error.
            BrokerUnreachableError: Nobody answers for `PATIENCE` seconds.
        """
        return self.ask_all(command)[0]

    def ask_all(self, *commands: Command) -> list[Reply]:
        """Send questions in one packet and return the answers. Raises as `ask` does."""
        with self.outbound.lock:
            if not self.asker.broken:
                with contextlib.suppress(BrokerUnreachableError):
                    return [checked(reply) for reply in self.asker.pipeline(commands, self._spin.until)]
            if self.outbound.closed:
                raise BrokerUnreachableError("this client has been shut down")
            self.asker.close()
            self.asker = self._connect("ask")
            return [checked(reply) for reply in self.asker.pipeline(commands, self._spin.until)]

    def tell(self, actor: str, op: str, call: bytes, number: int) -> None:
        """Tell an actor's worker something about a call of this client, soon."""
        self.outbound.post(calls.tell(self.keys, actor, op, call, number))

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
        self.objects.want([ref])
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
        deadline = None if timeout is None else time.monotonic() + timeout
        if self.pausing is None:
            return self.inbox.wait(ready, deadline)
        with self.pausing():
            return self.inbox.wait(ready, deadline)

    def deliver(self, outcome: Outcome) -> None:
        """Resolve the call that an outcome belongs to; one that nobody waits for gives back what it carries."""
        status: bytes = outcome.status
        body: bytes | Parked = outcome.body
        if status in _SPECIAL:
            if status != STATUS_SEGMENT:
                about = self.withdrawals.heard if status == STATUS_HEARD else self.parking.wanted
                about(outcome.call)
                return
            # Before the call stops being pending: then it is known either way.
            status, body = STATUS_OK, self.parking.come(outcome)
        result = self.pending.pop(outcome.call, None)
        keep = None
        if outcome.tokens:
            keep = self.holdings.tokens(outcome.call.decode(), outcome.tokens.decode().split())
        if result is not None:
            result.resolve(status, body, keep)
        elif outcome.call.startswith(OBJECT):
            self.objects.arrived(outcome.call.removeprefix(OBJECT).decode())
        else:
            call, _, number = outcome.call.partition(b"#")
            stream = self.pending.get(call)
            if isinstance(stream, StreamResult):
                stream.arrived(int(number), outcome.status, outcome.body, keep)

    def fail(self, call: bytes, status: bytes, body: bytes) -> None:
        """Resolve a call that the broker did not take."""
        result = self.pending.pop(call, None)
        if result is not None:
            result.resolve(status, body)
            self.inbox.wake()

    def require_open(self, thing: object) -> None:
        """Refuse a handle or a reference of a callboard that this process has left.

        Raises:
            RaySystemError: This client is closed.
        """
        if self._of_parent:
            raise RaySystemError(
                f"{thing!r} belongs to the process that this one was forked from, which has the connections. Get a new "
                "one here, for example by get_actor()."
            )
        if self.closed:
            raise RaySystemError(
                f"{thing!r} was used after shutdown(): it belongs to a callboard that this process has left. Call "
                "init() and get a new one, for example by get_actor()."
            )

    @property
    def waits_to_send(self) -> bool:
        """Tell whether there are calls whose arguments are pending."""
        return bool(self.tasks.waiting or self.calls.waiting)

    def made_here(self, result: Result) -> Result:
        """Note in which call of this process a call is made; return its result."""
        if self.inside is not None:
            result.parent = self.inside()
        return result

    def open_calls(self) -> list[tuple[bytes, Result]]:
        """Return the calls of this client that have no outcome yet, with their results."""
        with self.outbound.lock:
            return [*self.pending.items(), *self.tasks.waiting, *self.calls.waiting]

    def leave_to_parent(self) -> None:
        """Use nothing of this client in a process that was forked: two that read what comes would mix it up."""
        self._of_parent = True
        self.closed = True
        # Another one, as somebody may have held its lock when this process was forked.
        self._leaving = threading.Event()
        self._leaving.set()

    def close(self, *, goodbye: bool) -> None:
        """Leave the callboard: what was noted and sent so far counts; whoever waits for open calls gets an error.

        Args:
            goodbye: Whether to say so, which ends this client's actors gracefully and at once.
        """
        if self.closed:
            return
        self.closed = True
        self._leaving.set()
        self.housekeeper.stop()
        if goodbye:
            with contextlib.suppress(BrokerUnreachableError):
                self.outbound.post(clients.say_goodbye(self.keys, self.id))
                self.outbound.post(clients.request_burial(self.keys, self.id))
                self.outbound.flush()
        self._abandon(RaySystemError("this process has left the callboard by shutdown() before the value came"))
        self.inbox.close()
        self.reader.stop()
        self.outbound.close()
        self.asker.close()
        self.parking.close()

    def _abandon(self, error: Exception) -> None:
        """Resolve every open call: outcomes cannot come any more."""
        body = _serde.pack(error).body
        self.parking.abandon()
        with self.outbound.lock:
            waiting = [*self.tasks.abandon(), *self.calls.abandon()]
        results = [*self.pending.values(), *self.objects.awaited(), *waiting]
        for result in results:
            result.resolve(STATUS_LOCAL, body)

    def _confirm(self) -> None:
        self._confirming = False
        self.outbound.flush()

    def _beat(self) -> None:
        # An actor counts as alive as long as its incarnation: it only asks whether what it waits for can still come.
        if self.pending or not self.identity.actor:
            self._show_life()
        self.outbound.collect()
        self.missing.look()
        self.parking.tidy()
        if self.identity.kind == "driver":
            # A worker whose supervisor is gone leaves by itself.
            self.supervision.look()

    def _show_life(self) -> None:
        try:
            self.ask(*clients.beat_client(self.keys, self.id))
        except BrokerRefusedError as refusal:
            if refusal.code != "GONE":
                raise
            # Where the inbox was, nothing arrives; those who call after this are told by the next heartbeat.
            _log.error("%s", refusal)
            self._abandon(self.verdicts.gone(str(refusal)))
            self.inbox.wake()

    def _connect_outbound(self) -> Wire:
        wire = self._connect("out")
        if self.identity.kind != "worker":
            return wire
        try:
            # It may be replaced while it is stopped, or cut off. What it still sends then must not arrive: whoever
            # declares it dead closes this connection, and it gets no other.
            connection = integer(wire.call("CLIENT", "ID"))
            wire.call(*clients.connect(self.keys, self.id, connection))
        except BrokerRefusedError as refusal:
            wire.close()
            raise BrokerUnreachableError(f"a worker that was declared dead may not send any more: {refusal}") from None
        except BaseException:
            wire.close()
            raise
        return wire

    def _connect(self, role: str) -> Wire:
        # Nobody should wait for a server that is gone when all that is left to do is to say goodbye.
        return self.broker.connect(f"{role}:{self.id}", patience=PATIENCE, leaving=self._leaving)
