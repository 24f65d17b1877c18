"""Actors that wait for each other, or for themselves, for ever: noticed by the one whose wait closes the cycle.

While the main thread of an actor waits without a bound inside a call, the actor runs nothing else. When that lasts
longer than usual, it writes into its record which outstanding calls it waits for, and follows what the actors of these
calls have written. A cycle in which each call is outstanding, while each wait lasts, can never end: nobody in it can
do anything but wait. Whoever waits last finds it, as the waits before it are written by then.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from callboard._result import Sent
from callboard.exceptions import DeadlockError
from callboard_broker import ids
from callboard_broker.wire import items, maybe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard._client import Client
    from callboard._ref import ObjectRef

#: Seconds that a wait may take before it is worth a look.
_USUAL: Final = 0.2
_FIELD: Final = "waits_for"


class _Wait(NamedTuple):
    """One actor's wait for calls of another.

    Attributes:
        actor: Who waits.
        told: What its record says, whole.
        target: Whose calls it waits for.
        entries: Their entries in that actor's mailbox.
    """

    actor: str
    told: str
    target: str
    entries: list[str]


class Deadlocks:
    """Wait for results, and find out when they can never come.

    Args:
        client: Who waits: an actor.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._actor = client.identity.actor

    def wait(self, enough: Callable[[], bool], refs: Sequence[ObjectRef[Any]]) -> bool:
        """Wait without a bound until ``enough()`` holds, which the results of references bring about.

        Raises:
            DeadlockError: They can never come.
        """
        inbox = self._client.inbox
        if threading.current_thread() is not threading.main_thread():
            return inbox.wait(enough, None)
        if inbox.wait(enough, time.monotonic() + _USUAL):
            return True
        record = self._client.keys.actor(self._actor)
        told = self._told(refs)
        if not told:
            return inbox.wait(enough, None)
        self._client.ask("HSET", record, _FIELD, told)
        try:
            cycle = self._cycle(_waits(self._actor, told))
            if cycle and self._lasts(cycle) and not enough():
                raise DeadlockError(self._words(cycle))
            return inbox.wait(enough, None)
        finally:
            self._client.ask("HDEL", record, _FIELD)

    def _told(self, refs: Sequence[ObjectRef[Any]]) -> str:
        self._client.outbound.flush()
        open_calls = [ref._result.sent for ref in refs if not ref._result.done]  # noqa: SLF001
        calls: dict[str, list[str]] = {}
        for sent in open_calls:
            if isinstance(sent, Sent):
                calls.setdefault(sent.actor, []).append(sent.entry.decode())
        return " ".join([self._client.id, *(f"{actor}:{','.join(calls[actor])}" for actor in calls)]) if calls else ""

    def _cycle(self, waits: list[_Wait]) -> list[_Wait]:
        """Return the shortest way of waits from this actor back to it; none when there is none.

        One question for all actors that are equally far away; each is asked once, however many wait for it.
        """
        ways, asked = {wait.target: [wait] for wait in waits}, set[str]()
        while ways:
            if self._actor in ways:
                return ways[self._actor]
            asked |= ways.keys()
            ways = {
                wait.target: [*ways[wait.actor], wait]
                for wait in self._waits_of(list(ways))
                if wait.target not in asked
            }
        return []

    def _waits_of(self, actors: list[str]) -> list[_Wait]:
        keys, found = self._client.keys, []
        replies = self._client.ask_all(*[("HMGET", keys.actor(actor), "token", _FIELD) for actor in actors])
        for actor, reply in zip(actors, replies, strict=True):
            token, told = (maybe_text(part) for part in items(reply))
            # What an incarnation before the present one left does not count.
            if told is not None and told.partition(" ")[0] == ids.worker_client_id(actor, token or ""):
                found += _waits(actor, told)
        return found

    def _lasts(self, cycle: list[_Wait]) -> bool:
        """Tell whether all of it is true at once: calls are outstanding, and each actor still waits as before."""
        if not all(self._is_outstanding(wait) for wait in cycle):
            return False
        keys = self._client.keys
        told = self._client.ask_all(*[("HGET", keys.actor(wait.actor), _FIELD) for wait in cycle])
        return [maybe_text(reply) for reply in told] == [wait.told for wait in cycle]

    def _is_outstanding(self, wait: _Wait) -> bool:
        keys = self._client.keys
        mailboxes = (keys.mailbox(wait.target), keys.sealed(wait.target))
        questions = [("XRANGE", mailbox, entry, entry) for mailbox in mailboxes for entry in wait.entries]
        return any(map(items, self._client.ask_all(*questions)))

    def _words(self, cycle: list[_Wait]) -> str:
        first, *others = [self._name(wait.actor) for wait in cycle]
        chain = ", which waits for ".join([*others, first if others else "itself"])
        return (
            f"get() would wait for ever: {first} waits for {chain}. Let one of them return before it gets what the "
            "next one makes, make it an async actor that awaits, or get with a timeout."
        )

    def _name(self, actor: str) -> str:
        return f"{maybe_text(self._client.ask('HGET', self._client.keys.actor(actor), 'class_name'))}({actor})"


def _waits(actor: str, told: str) -> list[_Wait]:
    _, *targets = told.split(" ")
    parts = (target.partition(":") for target in targets)
    return [_Wait(actor, told, target, entries.split(",")) for target, _, entries in parts]
