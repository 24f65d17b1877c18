"""Models of the scripts about dead letters."""

from tests.support.script_models.things import Hash, Stream, must_be_current, release_carried, take

__all__ = ["retry_letter", "set_aside"]


def set_aside(
    record: Hash,
    mailbox: Stream,
    sealed: Stream,
    seen: Hash,
    attempts: Hash,
    carried: Hash,
    outbox: Stream,
    letters: Stream,
    inbox: Stream,
    events: Stream,
    token: str,
    entry: str,
    caller: str,
    numbers: str,
    call: str,
    outcome: str,
    body: str,
    actor: str,
    letter: list[str],
) -> int:
    """Settle a call by its outcome as others do, and keep a letter of it."""
    must_be_current(record, token)
    if not take(entry, mailbox, sealed):
        return 0
    seen[caller] = numbers
    letters.add("actor", actor, *letter)
    inbox.offer(outcome, body)
    release_carried(call, carried, outbox)
    attempts.pop(call, None)
    events.add(actor=actor, event="set_aside", reason=call)
    return 1


def retry_letter(letters: Stream, mailbox: Stream, letter: str, fields: list[str]) -> str | None:
    """Have a letter become a call, once."""
    if not mailbox:
        return None
    return mailbox.add(*fields) if letters.remove(letter) else ""
