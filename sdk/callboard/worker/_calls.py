"""From a mailbox entry to an outcome: verifying, recognising repeats, running, answering."""

from __future__ import annotations

import logging
import socket
from collections import deque
from typing import TYPE_CHECKING, Final

from callboard.worker._replies import Caller
from callboard_broker import verdicts
from callboard_broker.deaths import STATUS_DIED, STATUS_HEARD, STATUS_UNAVAILABLE
from callboard_broker.envelope import Outcome, head_of, open_call, seal_outcome
from callboard_broker.errors import EnvelopeError, StaleEntryError
from callboard_broker.operations import calls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callboard.worker._replies import Replies
    from callboard.worker._settings import Settings
    from callboard_broker.deaths import DeathCause
    from callboard_broker.envelope import Call
    from callboard_broker.packing import Argument, Command
    from callboard_broker.records import ActorRecord
    from callboard_broker.seen import Ledger
    from callboard_broker.wire import Reply

_log = logging.getLogger(__name__)

_HOST: Final = socket.gethostname()
#: Callers for whom what it takes to answer them is kept.
_CALLERS: Final = 4096


class Desk:
    """Open an actor's entries and answer its calls.

    Args:
        settings: Which incarnation this is.
        replies: Where outcomes go.
        record: What is said of the actor when its calls fail with it.
        ledger: What it has finished.
        charged: Charges of its calls, by call id.
    """

    def __init__(
        self,
        settings: Settings,
        replies: Replies,
        record: ActorRecord,
        ledger: Ledger,
        charged: Mapping[str, bytes],
    ) -> None:
        self._settings = settings
        self._broker = settings.broker
        self._replies = replies
        self._record = record
        self._ledger = ledger
        replies.recovery.watch(ledger)
        self._charged = {call.encode() for call in charged}
        self._signer = self._broker.signer("call", settings.actor)
        self._settlement = calls.Settlement(self._broker.keys, settings.actor, settings.token)
        self._callers: dict[bytes, Caller] = {}
        #: Calls that their callers have cancelled, with their numbers; entered into the ledger before the next starts.
        self.cancelled: deque[tuple[bytes, int]] = deque()
        #: Waits until handles that came with calls are held; set once this worker is a client.
        self.before_answer: Callable[[], None] | None = None

    def open(self, entry: bytes, flat: list[Reply] | None) -> Call | None:
        """Return the call of an entry; None when it is not one, or has been finished before.

        An entry that fails verification is set aside and counted; nobody is told, as nobody can be believed to be the
        caller. One that is verified but too old is answered, unless it is a replay of what has been finished.
        """
        if flat is None:
            return None
        try:
            call = open_call(self._signer, entry, flat)
        except StaleEntryError as error:
            self._refuse(error)
            return None
        except EnvelopeError as error:
            self._set_aside(entry, flat, error)
            return None
        if self.cancelled:
            self._forget()
        return self.repeated(call) if call.seq and call.seq in self._caller_of(call.id).finished else call

    def repeated(self, call: Call) -> Call | None:
        """Settle a call that came again after it had finished; return it when it is to run again nevertheless.

        Mostly its outcome lies in its caller's inbox, who takes the first and passes over the second. After a restart
        of the server it may be gone.
        """
        # The answers tell which outcomes found no entry; and asking notices a server that has been restarted, also
        # where calls come on another connection and nothing has been answered since.
        self._replies.ask(("PING",))
        recovery = self._replies.recovery
        outcome = recovery.outcome(call)
        if outcome is not None:
            head, body = outcome
            caller = self._caller_of(call.id)
            self._answer_fully(call, Outcome(call.id, b"", b"", body), caller, caller.signer.seal(head, body))
        elif recovery.runs_again(call):
            self._caller_of(call.id).finished.remove(call.seq)
            return call
        else:
            self.unavailable(call, verdicts.REPEATED)
        return None

    def open_still(self, call: Call) -> bool:
        """Tell whether a call that was opened before is still to be run; one that was cancelled is not."""
        if self.cancelled:
            self._forget()
        return not call.seq or call.seq not in self._caller_of(call.id).finished

    def cancel(self, call: bytes, seq: int) -> Command:
        """Have a call not start any more, as its caller has cancelled it; return what tells the caller so.

        For any thread.
        """
        self.cancelled.append((call, seq))
        caller = call[: call.rfind(b"/")].decode()
        heard = self._broker.seal_outcome(caller, Outcome(call, STATUS_HEARD, b"", b""))
        return calls.tell_caller(self._broker.keys, caller, heard)

    def is_cancelled(self, call: Call) -> bool:
        """Tell whether a call that runs has been cancelled; nobody may answer another meanwhile."""
        told = (call.id, call.seq) in tuple(self.cancelled)
        return told or call.seq in self._caller_of(call.id).finished

    def answer(self, call: Call, outcome: Outcome) -> None:
        """Settle a call with an outcome; nothing waits for the broker here."""
        if not call.seq:
            self._discard(call)
            return
        caller = self._caller_of(call.id)
        caller.finished.add(call.seq)
        if outcome.tokens or call.opts or self._charged:
            self._answer_fully(call, outcome, caller, seal_outcome(caller.signer, outcome))
        else:
            self._replies.post(caller, call.entry, head_of(outcome), outcome.body)

    def _answer_fully(self, call: Call, outcome: Outcome, caller: Caller, sealed: bytes) -> None:
        """Settle a call that may carry something, or may have been charged."""
        flags = self._flags(call)
        if outcome.tokens or "c" in flags:
            self._hold_first()
        settlement = self._settlement
        settlement.clear()
        settlement.add(call.entry, call.caller, outcome, sealed, flags=flags)
        settlement.seen(call.caller, caller.finished.stored())
        self._replies.post_command(settlement.command(loaded=True))

    def give(self, call: Call, item: Outcome) -> None:
        """Give the caller one item of a call that goes on; nothing waits for the broker here."""
        if item.tokens:
            self._hold_first()
        settings = self._settings
        sealed = seal_outcome(self._caller_of(call.id).signer, item)
        self._replies.post_command(calls.give(self._broker.keys, settings.actor, settings.token, call, item, sealed))

    def fail(self, call: Call, cause: DeathCause) -> None:
        """Settle a call that dies with its actor."""
        self.answer(call, Outcome(call.id, STATUS_DIED, b"", verdicts.died(self._record, cause)))

    def unavailable(self, call: Call, why: str) -> None:
        """Settle a call that the actor was not there for."""
        body = verdicts.unavailable(self._settings.actor, why)
        self.answer(call, Outcome(call.id, STATUS_UNAVAILABLE, b"", body))

    def charge(self, call: Call, count: int) -> None:
        """Note that a call has used up a retry although it has not run: the incarnation before this one owes it."""
        command = calls.charge(
            self._broker.keys,
            self._settings.actor,
            self._settings.token,
            [(call.id, f"{count} {self._settings.incarnation - 1} {call.method}".encode())],
        )
        self._replies.ask(command)
        self._charged.add(call.id)

    def _forget(self) -> None:
        while self.cancelled:
            call, seq = self.cancelled.popleft()
            self._caller_of(call).finished.add(seq)

    def _flags(self, call: Call) -> str:
        carries = "c" if call.option("carries") else ""
        if call.id in self._charged:
            self._charged.discard(call.id)
            return carries + "a"
        return carries

    def _discard(self, call: Call) -> None:
        settlement = self._settlement
        settlement.clear()
        settlement.discard(call.entry, call.id, flags=self._flags(call))
        self._replies.ask(settlement.command())

    def _refuse(self, error: StaleEntryError) -> None:
        _log.warning("a call was refused: %s", error)
        if self.open_still(error.call):
            self.unavailable(error.call, verdicts.TOO_OLD)
        else:
            self._discard(error.call)

    def _set_aside(self, entry: bytes, flat: list[Reply], error: EnvelopeError) -> None:
        _log.warning("an entry of the mailbox was refused: %s", error)
        # Under names of our own, so that its fields cannot be taken for those of the note about it.
        kept: list[Argument] = []
        for index, part in enumerate(flat[:64]):
            kept += (f"f{index}", part if isinstance(part, bytes) else b"")
        settings = self._settings
        reason = type(error).__name__
        self._replies.ask(calls.reject(self._broker.keys, settings.actor, settings.token, entry, reason, kept))

    def _hold_first(self) -> None:
        # What came with the call must be held, and what goes with the outcome lent, before the commit can release the
        # call's own tokens.
        if self.before_answer is not None:
            self.before_answer()

    def _caller_of(self, call: bytes) -> Caller:
        name = call[: call.rfind(b"/")]
        return self._callers.get(name) or self._new_caller(name)

    def _new_caller(self, name: bytes) -> Caller:
        if len(self._callers) >= _CALLERS:
            self._callers.clear()
        known = name.decode()
        settings = self._settings
        signer = self._broker.signer("outcome", known)
        writer = calls.CommitWriter(self._broker.keys, settings.actor, settings.token, known, signer)
        caller = self._callers[name] = Caller(signer, writer, self._ledger.of(known))
        return caller
