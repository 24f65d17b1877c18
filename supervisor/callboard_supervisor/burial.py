"""Burying clients that are gone.

Their actors end, what they held is released, and their keys go, in an order that lets nothing of them come late.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker import deaths, ids
from callboard_broker.errors import BrokerRefusedError
from callboard_broker.operations import actors, clients
from callboard_broker.wire import integer, maybe_text
from callboard_supervisor.task_settling import TaskSettling

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard_broker.packing import Command
    from callboard_supervisor.link import Link

_log = logging.getLogger(__name__)


class Burial:
    """Bury clients.

    Args:
        link: To Redis.
        look: Called with the id of each actor that a burial ended.
    """

    def __init__(self, link: Link, look: Callable[[str], None]) -> None:
        self._link = link
        self._keys = link.keys
        self._look = look
        self._tasks = TaskSettling(link)

    def bury(self, client: str, how: str) -> None:
        """Bury a client; harmless when repeated, when it was never there, or when another supervisor does the same.

        Args:
            client: Its id.
            how: How it ended, in words; a client that said goodbye itself has ended normally whatever is said here.
        """
        ended = maybe_text(self._link.call(*clients.bury(self._keys, client, how)))
        if ended is None:
            return
        self._cut_off(client)
        held = self._link.members(self._keys.holds(client))
        # What it owned goes first: the sooner its actors end, the less they still do.
        for member in sorted(held, key=lambda member: not member.startswith("own ")):
            try:
                self._release(client, member.split(" "), ended)
            except ValueError:
                _log.exception("the holding %r of client %s cannot be released", member, client)
        self._link.pipeline(
            [
                ("DEL", self._keys.holds(client)),
                ("SREM", self._keys.clients, client),
                ("DEL", self._keys.client(client)),
            ]
        )

    def _cut_off(self, client: str) -> None:
        """Have nothing arrive any more that it has sent, or will send: it may live and not know yet."""
        connection = maybe_text(self._link.call("HGET", self._keys.client(client), "connection"))
        if not connection:
            return
        try:
            self._link.call("CLIENT", "KILL", "ID", connection)
        except BrokerRefusedError as refusal:
            _log.info("what client %s may still send is not kept away: %s", client, refusal)

    def release_token(self, token: str, targets: list[str]) -> None:
        """Release a token at each of its targets: what carried them is gone."""
        for target in targets:
            self._let_go(target, token)

    def _release(self, client: str, member: list[str], ended: str) -> None:
        match member:
            case ["own", actor]:
                self._end(actor, client, ended)
            case ["lent", target, token, recipient]:
                if not self._arrived(token, recipient):
                    self._let_go(target, token, lender=client)
            case ["task", task]:
                self._tasks.lose(task, client, ended)
            case ["serve", queue]:
                self._tasks.strike_off(client, queue)
            case _:
                self._release_held(client, member)

    def _release_held(self, client: str, member: list[str]) -> None:
        match member:
            case ["hold", actor, *number]:
                self._let_go(f"a:{actor}", "/".join([f"c:{client}", *number]))
            case ["hold-object", ref, number]:
                self._let_go(f"o:{ref}", f"c:{client}/{number}")
            case ["carry", token, *targets]:
                self.release_token(token, targets)
            case ["class", sha]:
                self._link.call(*clients.undefine(self._keys, sha, f"c:{client}"))
            case ["object", ref]:
                self._remove_object(ref)
            case _:
                raise ValueError(f"not a holding: {member}")

    def _end(self, actor: str, client: str, ended: str) -> None:
        if ended == "normal":
            self._link.call(*actors.seal(self._keys, actor, deaths.SEALED_OWNER_DIED))
        else:
            cause = deaths.owner_died(client, ended)
            self._link.call(*actors.kill(self._keys, actor, ids.new_token(), cause, deaths.SEALED_OWNER_DIED))
        self._look(actor)

    def _let_go(self, target: str, holder: str, *, lender: str = "") -> None:
        kind, _, thing = target.partition(":")
        command: Command
        if kind == "a":
            entry = self._link.broker.end_entry(thing)
            command = actors.release(self._keys, thing, holder, index="-", member="-", lender=lender, entry=entry)
        else:
            command = clients.drop_object(self._keys, thing, holder, index="-", member="-", lender=lender)
        self._link.call(*command)

    def _arrived(self, token: str, recipient: str) -> bool:
        """Tell whether the message that carries a token has arrived: somebody else answers for the token then."""
        kind, _, message = token.partition(":")
        if kind == "m":
            return bool(integer(self._link.call("HEXISTS", self._keys.carried(recipient), message)))
        if kind == "r":
            held = self._link.members(self._keys.holds(recipient))
            return any(member.startswith(f"carry {token} ") for member in held)
        if kind == "t":
            return bool(integer(self._link.call("EXISTS", self._keys.task(message))))
        if kind == "i":
            return bool(integer(self._link.call("EXISTS", self._keys.creation(recipient))))
        return False

    def _remove_object(self, ref: str) -> None:
        tokens = maybe_text(self._link.call("HGET", self._keys.object(ref), "tokens"))
        # First, as afterwards nobody could tell whoever continues this burial.
        self.release_token(f"o:{ref}", (tokens or "").split())
        self._link.call("DEL", self._keys.object(ref), self._keys.object_holders(ref), self._keys.object_waiters(ref))
