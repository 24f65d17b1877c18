"""Taking calls back, on the side of whoever made them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from callboard._outbound import PATIENCE
from callboard._result import FINAL, Queued, Sent
from callboard_broker import verdicts
from callboard_broker.deaths import STATUS_CANCELLED
from callboard_broker.envelope import Outcome
from callboard_broker.operations import calls

if TYPE_CHECKING:
    from callboard._client import Client
    from callboard._result import Result
    from callboard_broker.wire import Reply

#: Seconds to wait for a worker that may have a call in hand to say that it will not start it. One that says nothing for
#: so long is stopped or dead, and what it may still do with the call is thrown away.
_HEARD_WITHIN: Final = 1.0
#: What the script says when a worker may have the call in hand.
_IN_HAND: Final = 2


class Withdrawal(enum.Enum):
    """What came of taking a call back."""

    #: It is not a call of this client, or has its outcome.
    UNKNOWN = enum.auto()
    #: It goes on: it ends an actor that takes no more calls, and would never end without it.
    REFUSED = enum.auto()
    #: Its outcome is there or in the inbox.
    DONE = enum.auto()
    #: So it is, and a worker may have the call in hand; it will say when it has heard.
    IN_HAND = enum.auto()


class Withdrawals:
    """Take calls back; exactly one of this and the call's commit decides.

    Args:
        client: Whose calls.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unheard: set[bytes] = set()

    def cancel(self, call: bytes, result: Result, *, force: bool = False, recursive: bool = False) -> bool:
        """Take a call back, and wait until it has its outcome and does not start any more; tell whether it is known."""
        wait = self._client.wait
        self._unheard.add(call)
        try:
            found = self.withdraw(call, result, force=force, recursive=recursive)
            if found is Withdrawal.IN_HAND:
                wait(lambda: call not in self._unheard, _HEARD_WITHIN)
        finally:
            self._unheard.discard(call)
        if found in {Withdrawal.DONE, Withdrawal.IN_HAND}:
            wait(lambda: result.done, PATIENCE)
        return found is not Withdrawal.UNKNOWN

    def withdraw(self, call: bytes, result: Result, *, force: bool = False, recursive: bool = False) -> Withdrawal:
        """Take a call back, without waiting for anybody but the server. Force is for tasks."""
        client = self._client
        if isinstance(result.sent, Queued):
            client.tasks.cancel(call, result, result.sent, force=force, recursive=recursive)
            return Withdrawal.DONE
        outcome = Outcome(call, STATUS_CANCELLED, b"", verdicts.cancelled(call.decode()))
        if client.calls.withdraw(result, outcome):
            return Withdrawal.DONE
        if call not in client.pending:
            return Withdrawal.UNKNOWN
        client.outbound.flush()
        if not isinstance(result.sent, Sent):
            return Withdrawal.DONE
        if result.sent.seq == FINAL:
            return Withdrawal.REFUSED
        return self._take_back(result.sent, outcome, recursive=recursive)

    def recall(self, parent: bytes) -> None:
        """Take back, soon, all that a call of this process has called, and what that has called."""

        def recalled() -> None:
            # The last one first, so that none that waits begins in the room of one that was interrupted.
            for call, result in reversed(self._client.open_calls()):
                if result.parent == parent:
                    self.withdraw(call, result, recursive=True)

        self._client.housekeeper.note(recalled)

    def heard(self, call: bytes) -> None:
        """Note that the worker will not start a call."""
        self._unheard.discard(call)

    def _take_back(self, sent: Sent, outcome: Outcome, *, recursive: bool) -> Withdrawal:
        client = self._client
        said: list[Reply] = []
        sealed = client.broker.seal_outcome(client.id, outcome)
        command = calls.cancel(client.keys, client.id, *sent[:3], outcome=outcome, sealed=sealed, recursive=recursive)
        client.outbound.post(command, said.append)
        client.outbound.flush()
        return Withdrawal.IN_HAND if said == [_IN_HAND] else Withdrawal.DONE
