"""What this process holds: one `Hold` per actor, however many handles there are to it.

A handle, a bound method, a queued call each keep the `Hold` alive; when the last goes, the collector may be in any
thread at any moment, so it only drops a note. A housekeeping thread reads the notes and releases.
"""

from __future__ import annotations

import itertools
import weakref
from functools import partial
from typing import TYPE_CHECKING

from callboard_broker.envelope import CallWriter
from callboard_broker.operations import actors, clients
from callboard_broker.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard._client import Client
    from callboard._outbound import Unacknowledged
    from callboard_broker.envelope import Signer
    from callboard_broker.wire import Reply


class Hold:
    """This process's share in one actor; lives as long as any handle to it here.

    Args:
        client: Who holds.
        actor: What is held.
        holder: Under which name, among the holders of the actor.
        member: What the client's index says of it.
    """

    __slots__ = ("__weakref__", "actor", "client", "holder", "member", "signer", "writer")

    def __init__(self, client: Client, actor: str, holder: str, member: str) -> None:
        self.client = client
        self.actor = actor
        self.holder = holder
        self.member = member
        self.signer: Signer = client.broker.signer("call", actor)
        self.writer = CallWriter(self.signer, client.broker.version, client.keys.mailbox(actor))


class Tokens:
    """Tokens that came with a result; they are released when the result is dropped."""

    __slots__ = ("__weakref__", "targets")

    def __init__(self, targets: list[str]) -> None:
        self.targets = targets


class Holdings:
    """The holds of a client, and the tokens of what it lends."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._holds: weakref.WeakValueDictionary[str, Hold] = weakref.WeakValueDictionary()
        self._tokens: weakref.WeakValueDictionary[str, Tokens] = weakref.WeakValueDictionary()
        #: What is lent to messages that have not arrived, by what the index says of it.
        self._lent: dict[str, tuple[str, str, str]] = {}
        self._numbers = itertools.count(1)
        # What it sends about a hold must not be overtaken by what it decides about it.
        self._lock = client.outbound.lock

    def hold(self, actor: str, *, registered: bool = False) -> Hold:
        """Return the hold on an actor, telling the broker when it is a new one.

        Args:
            actor: Its id.
            registered: The broker knows already: the script that creates an actor holds it for its creator.
        """
        with self._lock:
            hold = self._holds.get(actor)
            if hold is None:
                client = self._client
                holder, member = f"c:{client.id}", f"hold {actor}"
                if not registered:
                    holder, number = self.next_holder()
                    member = f"{member} {number}"
                    client.outbound.post(clients.hold_actor(client.keys, client.id, actor, holder, member), _ignore)
                hold = self._holds[actor] = Hold(client, actor, holder, member)
                release = partial(self._release, actor, holder, member)
                weakref.finalize(hold, client.housekeeper.note, release).atexit = False
            return hold

    def again(self) -> list[Unacknowledged]:
        """Return what tells the broker once more what is held and lent, as it may have forgotten."""
        client = self._client
        found: list[Unacknowledged] = [
            (pack(clients.hold_actor(client.keys, client.id, hold.actor, hold.holder, hold.member)), _ignore)
            for hold in list(self._holds.values())
        ]
        for target, token, recipient in self._lent.values():
            found += self.lending([target], token, recipient)
        return found

    def next_holder(self) -> tuple[str, int]:
        """Return a name for this client as a holder, and the number in it.

        Each hold has its own: when a broken connection has the release of an earlier one sent again, it must not
        release a later one.
        """
        number = next(self._numbers)
        return f"c:{self._client.id}/{number}", number

    def tokens(self, call: str, targets: list[str]) -> Tokens:
        """Take the tokens that came with a result.

        An item of a stream comes again when its call is run again. Its tokens are the same, so they are returned once,
        when all of it has been dropped.
        """
        member = f"carry r:{call} {' '.join(targets)}"
        with self._lock:
            tokens = self._tokens.get(member)
            if tokens is None:
                tokens = self._tokens[member] = Tokens(targets)
                give_back = partial(self._return_tokens, f"r:{call}", targets, member)
                weakref.finalize(tokens, self._client.housekeeper.note, give_back).atexit = False
        return tokens

    def lend(self, targets: Sequence[str], token: str, recipient: str) -> None:
        """Add a token to each target, before the message that carries them is sent on the same connection.

        It is to be handed over (`handed_over`) or taken back (`take_back`).
        """
        with self._lock:
            for target in targets:
                self._lent[_lent(target, token, recipient)] = target, token, recipient
            self.lend_away(targets, token, recipient)

    def lend_away(self, targets: Sequence[str], token: str, recipient: str) -> None:
        """Do what `lend` does for a message whose arrival is settled by whoever takes it, such as a result."""
        with self._lock:
            for packed, acknowledged in self.lending(targets, token, recipient):
                self._client.outbound.post_locked(packed, acknowledged)
        if targets:
            self._client.confirm_soon()

    def lending(self, targets: Sequence[str], token: str, recipient: str) -> list[Unacknowledged]:
        """Return what adds a token to each target."""
        client = self._client
        found: list[Unacknowledged] = []
        for target in targets:
            kind, _, thing = target.partition(":")
            operation = clients.hold_actor if kind == "a" else clients.hold_object
            command = operation(client.keys, client.id, thing, token, _lent(target, token, recipient))
            found.append((pack(command), _ignore))
        return found

    def handed_over(self, targets: Sequence[str], token: str, recipient: str) -> None:
        """Note that the message has arrived: its recipient answers for the tokens from now on."""
        members = [_lent(target, token, recipient) for target in targets]
        for member in members:
            self._lent.pop(member, None)
        if members:
            self._client.outbound.post(("SREM", self._client.keys.holds(self._client.id), *members), _ignore)

    def take_back(self, targets: Sequence[str], token: str, recipient: str) -> None:
        """Release the tokens of a message that never arrived."""
        for target in targets:
            member = _lent(target, token, recipient)
            self._lent.pop(member, None)
            self._return(target, token, member)

    def _return_tokens(self, token: str, targets: list[str], member: str) -> None:
        # The index names them until all are released.
        for target in targets:
            self._return(target, token, "-")
        self._client.outbound.post(("SREM", self._client.keys.holds(self._client.id), member), _ignore)

    def _return(self, target: str, token: str, member: str) -> None:
        kind, _, thing = target.partition(":")
        client = self._client
        if kind == "a":
            entry = client.broker.end_entry(thing)
            command = actors.release(client.keys, thing, token, index=client.id, member=member, entry=entry)
        else:
            command = clients.drop_object(client.keys, thing, token, index=client.id, member=member)
        client.outbound.post(command, _ignore)

    def _release(self, actor: str, holder: str, member: str) -> None:
        client = self._client
        entry = client.broker.end_entry(actor)
        command = actors.release(client.keys, actor, holder, index=client.id, member=member, entry=entry)
        client.outbound.post(command, self._forgetting(actor))

    def _forgetting(self, actor: str) -> Callable[[Reply], None]:
        def acknowledged(reply: Reply) -> None:
            if isinstance(reply, bytes):
                # Sealed by this release: nothing more will be sent there.
                self._client.calls.forget_route(actor)

        return acknowledged


def _lent(target: str, token: str, recipient: str) -> str:
    return f"lent {target} {token} {recipient}"


def _ignore(reply: Reply) -> None:
    """Pass over the reply of a command whose failure is repaired when this client is buried."""
