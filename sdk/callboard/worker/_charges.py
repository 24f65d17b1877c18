"""Charging what was submitted while the actor was restarting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard_broker import verdicts
from callboard_broker.envelope import TERMINATE
from callboard_broker.wire import entries

if TYPE_CHECKING:
    from callboard.worker._calls import Desk
    from callboard.worker._replies import Replies
    from callboard.worker._settings import Settings


def charge_submitted_while_restarting(
    settings: Settings, replies: Replies, desk: Desk, window: tuple[str, str], sealed: str
) -> None:
    """Charge each call whose entry id lies in a range (first, last]: it was submitted while the actor was restarting.

    One without retries left is settled as unavailable; the others lose one. A crash in the middle leaves the rest
    uncharged, which is the caller's gain.
    """
    first, last = window
    stream = settings.broker.keys.sealed if sealed else settings.broker.keys.mailbox
    start = f"({first}"
    while True:
        found = entries(replies.ask(("XRANGE", stream(settings.actor), start, last, "COUNT", 200))[0])
        if not found:
            return
        for entry, flat in found:
            start = f"({entry.decode()}"
            call = desk.open(entry, flat)
            # What ends the actor is no call like others: it takes none after it, and would never end.
            if call is None or call.method == TERMINATE:
                continue
            if call.retries == 0:
                desk.unavailable(call, verdicts.WAS_RESTARTING)
            elif call.retries > 0:
                desk.charge(call, 1)
        replies.finish()
