"""Answering calls on behalf of an actor whose process is dead."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard_broker import verdicts
from callboard_broker.deaths import STATUS_DIED, STATUS_UNAVAILABLE
from callboard_broker.envelope import TERMINATE, Outcome, open_call
from callboard_broker.errors import BrokerRefusedError, EnvelopeError, StaleEntryError
from callboard_broker.operations import calls, letters
from callboard_broker.page import Started
from callboard_broker.seen import Ledger
from callboard_broker.wire import entries, items, mapping, text
from callboard_supervisor import decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.deaths import DeathCause
    from callboard_broker.envelope import Call
    from callboard_broker.records import ActorRecord
    from callboard_broker.wire import Reply
    from callboard_supervisor.link import Link

_log = logging.getLogger(__name__)

#: Entries answered in one go; the loop sees to others in between.
BATCH: Final = 200


class Settling:
    """Settle what is left of an actor's calls."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._broker = link.broker
        self._keys = link.keys

    def drain(self, record: ActorRecord, cause: DeathCause) -> bool:
        """Answer a batch of an ended actor's calls; tell whether nothing is left."""
        found = self._read(self._keys.sealed(record.actor_id), "-", "+") or self._read(
            self._keys.mailbox(record.actor_id), "-", "+"
        )
        if not found:
            return True
        body = verdicts.died(record, cause)
        settlement = calls.Settlement(self._keys, record.actor_id, record.token)
        for entry, flat in found:
            call = self._open(record, entry, flat)
            if call is None:
                continue
            if call.caller == "-":
                settlement.discard(entry, call.id, flags="c")
            else:
                self._add(settlement, call, Outcome(call.id, STATUS_DIED, b"", body))
        if settlement.count:
            self._link.call(*settlement.command())
        return False

    def send_journal(self, commands: list[bytes]) -> None:
        """Send the outcomes that a dead worker had not sent; what is settled already, or fenced, changes nothing."""
        if commands:
            self._link.pipeline(calls.load_settling())
            signer = partial(self._broker.signer, "outcome")
            self._link.send_packed([calls.sealed_note(command, signer) for command in commands])

    def delivered(self, record: ActorRecord) -> Started:
        """Return what may have started of an actor whose page is lost with its node: all that it was given."""
        stream = self._keys.sealed if record.sealed else self._keys.mailbox
        for group in items(self._link.call("XINFO", "GROUPS", stream(record.actor_id))):
            about = items(group)
            told = dict(zip(about[::2], about[1::2], strict=True))
            if told[b"name"] == record.group.encode():
                milliseconds, _, number = text(told[b"last-delivered-id"]).partition("-")
                return Started((int(milliseconds), int(number)), ())
        return Started((0, 0), ())

    def charge_started(self, record: ActorRecord, started: Started, how: str) -> None:
        """Charge the calls that had started when the process died.

        Those without retries left are settled as unavailable, and those that have taken it down too often set aside.

        Args:
            record: The actor's record.
            started: What had started.
            how: How the process ended, in words.
        """
        stream = self._keys.sealed if record.sealed else self._keys.mailbox
        watermark = "{}-{}".format(*started.watermark)
        found = self._read(stream(record.actor_id), "-", watermark) if any(started.watermark) else []
        for milliseconds, number in started.slots:
            slot = f"{milliseconds}-{number}"
            found += self._read(stream(record.actor_id), slot, slot)
        if not found:
            return
        charged = mapping(self._link.call("HGETALL", self._keys.attempts(record.actor_id)))
        ledger = Ledger(mapping(self._link.call("HGETALL", self._keys.seen(record.actor_id))))
        settlement = calls.Settlement(self._keys, record.actor_id, record.token)
        charges: list[tuple[bytes, bytes]] = []
        body = verdicts.unavailable(record.actor_id, "its process died while the call ran, and it is being restarted")
        for entry, flat in found:
            call = self._open(record, entry, flat)
            # The call that ends the actor is not run but reached: it stays until it is.
            if call is None or call.method == TERMINATE:
                continue
            count = decisions.charge(call, charged.get(call.id.decode()), record.incarnation)
            if count is not None and not decisions.too_often(count, record.max_deliveries):
                charges.append((call.id, count))
                continue
            finished = ledger.of(call.caller)
            finished.add(call.seq)
            if count is not None:
                self._set_aside(record, call, (flat or [], how), finished.stored())
                continue
            self._add(settlement, call, Outcome(call.id, STATUS_UNAVAILABLE, b"", body))
            settlement.seen(call.caller, finished.stored())
        if settlement.count:
            self._link.call(*settlement.command())
        if charges:
            self._link.call(*calls.charge(self._keys, record.actor_id, record.token, charges))

    def turn_away(self, record: ActorRecord, after: str) -> str:
        """Answer calls without retries that were submitted while an actor restarts, as long as it does.

        Args:
            record: The actor's record.
            after: Entry after which to look.

        Returns:
            The last entry that was looked at, of `BATCH` at most; ``after`` when there is none.
        """
        stream = self._keys.sealed if record.sealed else self._keys.mailbox
        found = self._read(stream(record.actor_id), f"({after}", "+")
        body = verdicts.unavailable(record.actor_id, verdicts.WAS_RESTARTING)
        commands = []
        for entry, flat in found:
            call = self._open(record, entry, flat)
            # What ends the actor is not turned away: it takes no other calls, and would never end.
            if call is None or call.retries or call.method == TERMINATE:
                continue
            outcome = Outcome(call.id, STATUS_UNAVAILABLE, b"", body)
            sealed = self._broker.seal_outcome(call.caller, outcome)
            commands.append(calls.turn_away(self._keys, record.actor_id, record.token, call, outcome, sealed))
        self._link.pipeline(commands)
        return text(found[-1][0]) if found else after

    def _set_aside(self, record: ActorRecord, call: Call, about: tuple[Sequence[Reply], str], finished: bytes) -> None:
        flat, how = about
        words = verdicts.SET_ASIDE.format(record.max_deliveries, call.id.decode())
        outcome = Outcome(call.id, STATUS_UNAVAILABLE, b"", verdicts.unavailable(record.actor_id, words))
        told = outcome, self._broker.seal_outcome(call.caller, outcome)
        line = flat[1] if isinstance(flat[1], bytes) else b""
        _log.warning("a call of %s on actor %s is set aside: %s", call.method, record.actor_id, how)
        self._link.call(*letters.set_aside(self._keys, record, call, (line, how), told, finished))

    def _read(self, stream: bytes, first: str, last: str) -> list[tuple[bytes, list[Reply] | None]]:
        try:
            return entries(self._link.call("XRANGE", stream, first, last, "COUNT", BATCH))
        except BrokerRefusedError as refusal:
            if refusal.code != "WRONGTYPE":
                raise
            # Somebody has put something else in its place, which the next incarnation puts right.
            return []

    def _open(self, record: ActorRecord, entry: bytes, flat: list[Reply] | None) -> Call | None:
        try:
            return open_call(self._broker.signer("call", record.actor_id), entry, flat or [])
        except StaleEntryError as error:
            # Nobody runs it here, and its caller is told what all others are told.
            return error.call
        except EnvelopeError as error:
            _log.warning("an entry of %s was refused: %s", record.actor_id, error)
            self._link.call(*calls.reject(self._keys, record.actor_id, record.token, entry, type(error).__name__, ()))
            return None

    def _add(self, settlement: calls.Settlement, call: Call, outcome: Outcome) -> None:
        sealed = self._broker.seal_outcome(call.caller, outcome)
        settlement.add(call.entry, call.caller, outcome, sealed, flags="ca")
