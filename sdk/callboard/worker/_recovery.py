"""What a worker knows of calls that a restarted server may have forgotten.

A server that comes back with an older copy of its data has forgotten some entries and some outcomes. Callers post
again what has no outcome, so a call that has run may arrive once more. Then its outcome is given to the new entry, if
it found none; what had been settled before, so that its outcome is gone, runs again if its retries allow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callboard_broker.operations.calls import outcomes_in
from callboard_broker.wire import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callboard_broker.envelope import Call
    from callboard_broker.seen import Ledger
    from callboard_broker.wire import Wire

#: Outcomes without an entry that are kept for when their calls come again.
_KEPT: Final = 10_000


class Recovery:
    """Compare what this worker has finished with what a restarted server knows of it.

    Args:
        seen: Key of the actor's ledger.
    """

    def __init__(self, seen: bytes) -> None:
        self._seen = seen
        self._ledger: Ledger | None = None
        self._forgotten: set[tuple[str, int]] = set()
        self._resent: set[bytes] = set()
        self._homeless: dict[bytes, tuple[bytes, bytes]] = {}
        #: Whether the server has been restarted.
        self.begun = False

    def watch(self, ledger: Ledger) -> None:
        """Compare with this ledger, from now on."""
        self._ledger = ledger

    def begin(self, wire: Wire, unsettled: Iterable[bytes]) -> None:
        """Look at what a server knows that has been restarted, before anything else is sent to it.

        Args:
            wire: The connection to it.
            unsettled: Commands that settle calls, packed, and are to be sent again.

        Raises:
            BrokerError: The connection broke again.
        """
        if self._ledger is None:
            return
        self._forgotten |= self._ledger.beyond(mapping(wire.call("HGETALL", self._seen)))
        for command in unsettled:
            self._resent |= outcomes_in(command).keys()
        self.begun = True

    def answered(self, command: bytes, settled: int) -> None:
        """Keep the outcomes of a command that settled fewer calls than it named."""
        outcomes = outcomes_in(command)
        if settled < len(outcomes):
            self._homeless.update(outcomes)
            while len(self._homeless) > _KEPT:
                del self._homeless[next(iter(self._homeless))]

    def outcome(self, call: Call) -> tuple[bytes, bytes] | None:
        """Take the outcome of a call that has run and found no entry: its head and its body."""
        return self._homeless.pop(call.id, None)

    def runs_again(self, call: Call) -> bool:
        """Tell, once, whether a call is to run again: its outcome is gone, and it has retries."""
        known = (call.caller, call.seq)
        if known not in self._forgotten or not call.retries or call.id in self._resent:
            return False
        self._forgotten.remove(known)
        return True
