"""Noticing calls that the server has no more although it was not restarted: somebody has deleted them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from callboard._result import Sent
from callboard_broker.wire import items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from callboard._client import Client

#: Calls that are asked for at once, and actors that are looked at.
_BATCH: Final = 500


class Missing:
    """Look for a client's open calls from time to time.

    Args:
        client: Whose calls.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._suspects: set[bytes] = set()

    def look(self) -> None:
        """Look whether the server still has the oldest open call to each actor.

        What is missing at two looks in a row, although the inbox was read in between, is gone, and so may be what is
        behind it: it is posted again, and the actor's ledger knows what has run. Calls to an actor whose record is gone
        are told that it is dead.

        Raises:
            BrokerError: Nobody answers, or what is there is no mailbox.
        """
        client = self._client
        if not client.pending:
            self._suspects.clear()
            return
        client.outbound.flush()
        self._read_about_suspects()
        oldest = self._oldest()
        missing = dict(self._missing(islice(oldest.values(), _BATCH)))
        actors = {sent.actor for call, sent in missing.items() if call in self._suspects}
        self._suspects = set(missing)
        if actors:
            self._post_again(actors)
        known = client.ask_all(*[("EXISTS", client.keys.actor(actor)) for actor in oldest])
        forgotten = {actor for actor, found in zip(oldest, known, strict=True) if not found}
        for call, sent in self._open(forgotten):
            client.verdicts.no_mailbox(call, sent.actor)

    def _oldest(self) -> dict[str, tuple[bytes, Sent]]:
        """Return the oldest open call to each actor, in few steps for each call, as there may be a hundred thousand."""
        oldest = {}
        for call, result in reversed(list(self._client.pending.items())):
            went = result.went
            if type(went) is tuple:
                oldest[went[0]] = call, went
        return {actor: (call, Sent(*went)) for actor, (call, went) in oldest.items()}

    def _open(self, actors: set[str]) -> Iterator[tuple[bytes, Sent]]:
        for call, result in list(self._client.pending.items()) if actors else ():
            sent = result.sent
            if isinstance(sent, Sent) and sent.actor in actors:
                yield call, sent

    def _post_again(self, actors: set[str]) -> None:
        client = self._client
        with client.outbound.lock:
            for call, sent in self._missing(self._open(actors)):
                # The outcome may have come since.
                if call in client.pending:
                    for packed, acknowledged in client.calls.again(call, sent):
                        client.outbound.post_locked(packed, acknowledged)
        client.outbound.clean_up()

    def _missing(self, some: Iterable[tuple[bytes, Sent]]) -> list[tuple[bytes, Sent]]:
        """Return those of some calls that are not in their mailboxes; most have been answered."""
        calls = iter(some)
        missing: list[tuple[bytes, Sent]] = []
        while batch := list(islice(calls, _BATCH)):
            missing += self._without_entry(batch)
        return missing

    def _read_about_suspects(self) -> None:
        """Read the inbox as long as that tells of calls that were missing: nobody else may be reading it."""
        pending = self._client.pending
        open_before = len(pending) + 1
        while self._suspects & pending.keys() and len(pending) < open_before:
            open_before = len(pending)
            self._client.inbox.catch_up()

    def _without_entry(self, batch: list[tuple[bytes, Sent]]) -> list[tuple[bytes, Sent]]:
        keys = self._client.keys
        replies = self._client.ask_all(
            *[
                ("XRANGE", stream(sent.actor), sent.entry, sent.entry)
                for _, sent in batch
                for stream in (keys.mailbox, keys.sealed)
            ]
        )
        pairs = zip(batch, replies[::2], replies[1::2], strict=True)
        return [one for one, waiting, sealed in pairs if not items(waiting) and not items(sealed)]
