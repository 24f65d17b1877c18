"""Models of the scripts about calls: posting, settling, charging."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.support.script_models.things import (
    Hash,
    Stream,
    Thing,
    awaited,
    hand_over,
    must_be_current,
    must_be_lender,
    must_live,
    pairs,
    release_carried,
    take,
    take_back,
)

__all__ = ["cancel", "charge", "commit", "reject", "settle", "submit", "tell", "turn_away", "yield_"]


def submit(mailbox: Stream, carried: Hash, inbox: Stream, call: str, tokens: str, fields: list[str]) -> str | None:
    """Post a call; the mailbox, if there is one, answers for what it carries."""
    must_live(inbox)
    entry = mailbox.offer(*fields)
    if entry:
        carried[call] = tokens
    return entry


def cancel(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    attempts: Hash,
    carried: Hash,
    outbox: Stream,
    control: Stream,
    inbox: Stream,
    entry: str,
    call: str,
    number: str,
    outcome: str,
    body: str,
    recall: str,
) -> int:
    """Settle a call that is outstanding, and have the worker hear of it."""
    if not take(entry, mailbox, sealed):
        return 0
    release_carried(call, carried, outbox)
    attempts.pop(call, None)
    inbox.offer(outcome, body)
    for op in filter(None, [recall, "cancel"]):
        control.add(op=op, call=call, number=number)
    return 2 if record.get("state") == "ALIVE" else 1


def tell(record: Hash, control: Stream, op: str, call: str, number: str) -> int:
    """Have the worker of an actor that is not DEAD hear something of a call."""
    if record.get("state", "DEAD") == "DEAD":
        return 0
    control.add(op=op, call=call, number=number)
    return 1


def yield_(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    outbox: Stream,
    worker: Stream,
    worker_holds: set[str],
    inbox: Stream,
    index: set[str],
    token: str,
    entry: str,
    item: str,
    tokens: str,
    outcome: str,
    body: str,
) -> int | str:
    """Give an item to a caller that waits; else what it carries is released."""
    must_be_current(record, token)
    must_be_lender(worker, tokens)
    given = inbox.offer(outcome, body) if awaited(entry, mailbox, sealed) else None
    take_back(item, tokens, worker_holds)
    hand_over(item, tokens, index if given else None, outbox)
    return 1 if given else item


def commit(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    seen: Hash,
    inbox: Stream,
    token: str,
    caller: str,
    numbers: str,
    entries_then_outcomes: list[str],
) -> int:
    """Settle calls of one caller: all outcomes are given when any call was outstanding."""
    must_be_current(record, token)
    count = len(entries_then_outcomes) // 3
    entries, outcomes = entries_then_outcomes[:count], entries_then_outcomes[count:]
    settled = [entry for entry in entries if take(entry, mailbox, sealed)]
    if settled:
        seen[caller] = numbers
        inbox.offer(*outcomes)
    return len(settled)


class _Item(NamedTuple):
    """A call to be settled; ``caller`` counts from 1, and 0 is nobody."""

    entry: str
    caller: int
    flags: str
    call: str
    tokens: str
    outcome: str
    body: str


def _items(flat: list[str]) -> Iterator[_Item]:
    size = len(_Item._fields)
    for at in range(0, len(flat), size):
        entry, caller, *rest = flat[at : at + size]
        yield _Item(entry, int(caller), *rest)


def settle(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    seen: Hash,
    attempts: Hash,
    carried: Hash,
    outbox: Stream,
    worker: Stream,
    worker_holds: set[str],
    inboxes: dict[str, Thing],
    token: str,
    seen_fields: str,
    fields_and_items: list[str],
) -> int:
    """Settle calls one by one, each with what it and its outcome carry."""
    must_be_current(record, token)
    items = list(_items(fields_and_items[int(seen_fields) :]))
    for item in items:
        must_be_lender(worker, item.tokens)
    finished = pairs(fields_and_items[: int(seen_fields)])
    settled = 0
    for item in items:
        lent = take_back(item.call, item.tokens, worker_holds)
        if not take(item.entry, mailbox, sealed):
            # It was cancelled while it ran, or this has been done before.
            hand_over(item.call, item.tokens if lent else "", None, outbox)
            continue
        settled += 1
        caller = item.call.rpartition("/")[0]
        seen.update({caller: finished[caller]} if caller in finished else {})
        hand_over(item.call, item.tokens, _told(item, list(inboxes.values())), outbox)
        if item.flags:
            release_carried(item.call, carried, outbox)
            attempts.pop(item.call, None)
    return settled


def _told(item: _Item, inboxes: list[Thing]) -> set[str] | None:
    """Tell a caller that has an inbox; return its index, which lies behind that."""
    if not item.caller:
        return None
    inbox, index = inboxes[item.caller - 1 : item.caller + 1]
    assert isinstance(inbox, Stream)
    assert isinstance(index, set)
    return index if inbox.offer(item.outcome, item.body) else None


def charge(record: Hash, attempts: Hash, token: str, calls_and_charges: list[str]) -> int:
    """Note charges of calls in the place of earlier ones."""
    must_be_current(record, token)
    charges = pairs(calls_and_charges)
    new = charges.keys() - attempts.keys()
    attempts.update(charges)
    return len(new)


def turn_away(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    seen: Hash,
    carried: Hash,
    outbox: Stream,
    inbox: Stream,
    token: str,
    entry: str,
    caller: str,
    number: str,
    call: str,
    outcome: str,
    body: str,
) -> int:
    """Settle a call of an actor that restarts, and add its number to those above the ledger's mark."""
    restarts = (record.get("token"), record.get("state")) == (token, "RESTARTING")
    if not restarts or not take(entry, mailbox, sealed):
        return 0
    inbox.offer(outcome, body)
    release_carried(call, carried, outbox)
    mark, _, above = seen.get(caller, "0").partition("|")
    seen[caller] = f"{mark}|{','.join(filter(None, [above, number]))}"
    return 1


def reject(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    rejected: Stream,
    token: str,
    entry: str,
    reason: str,
    fields: list[str],
) -> int:
    """Move an entry to the rejected ones, of which the latest hundred are kept, and count it."""
    must_be_current(record, token)
    if not take(entry, mailbox, sealed):
        return 0
    rejected.add("entry", entry, "reason", reason, *fields)
    rejected.keep(100)
    record["rejected"] = str(int(record["rejected"]) + 1)
    return 1
