"""Operations on calls: posting, settling, charging, setting aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard_broker.scripts import script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.envelope import Outcome
    from callboard_broker.keys import Keyspace
    from callboard_broker.wire import Argument, Command

#: Items per script call: a script that runs long stops everybody, and Lua's stack takes some thousand values.
BATCH = 200


def post(mailbox: bytes, fields: Sequence[Argument]) -> Command:
    """Append a call to a mailbox that exists."""
    return ("XADD", mailbox, "NOMKSTREAM", "*", *fields)


def post_carrying(
    keys: Keyspace, actor: str, client: str, call: bytes, tokens: str, fields: Sequence[Argument]
) -> Command:
    """Append a call that carries handles or references to a mailbox that exists."""
    return script("submit").eval(
        [keys.mailbox(actor), keys.carried(actor), keys.inbox(client)], [client, call, tokens, *fields]
    )


class Settlement:
    """Collect outcomes of one actor's calls for one commit.

    Args:
        keys: Of this callboard.
        actor: Whose calls they are.
        token: Of the incarnation that settles them.
    """

    __slots__ = ("_actor", "_fixed", "_inboxes", "_items", "_keys", "_positions", "_seen", "_token", "count")

    def __init__(self, keys: Keyspace, actor: str, token: str) -> None:
        self._keys = keys
        self._actor = actor
        self._token = token.encode()
        self._fixed = [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.seen(actor), keys.attempts(actor),
            keys.carried(actor), keys.outbox,
        ]  # fmt: skip
        self.clear()

    def clear(self) -> None:
        """Forget what has been collected."""
        self._inboxes: list[bytes] = []
        self._positions: dict[str, int] = {}
        self._items: list[Argument] = []
        self._seen: dict[str, bytes] = {}
        self.count = 0

    def add(self, entry: bytes, caller: str, outcome: Outcome, mac: bytes, *, flags: str = "") -> None:
        """Add the outcome of a call.

        Args:
            entry: Entry id in the mailbox.
            caller: Client to tell; empty for nobody.
            outcome: What to tell.
            mac: Of the outcome.
            flags: ``c`` when the call carries tokens, ``a`` when it has been charged.
        """
        position = self._position(caller) if caller else 0
        self._items += (
            entry,
            position,
            flags,
            outcome.call,
            outcome.status,
            outcome.tokens,
            mac,
            outcome.body,
        )
        self.count += 1

    def discard(self, entry: bytes, call: bytes, *, flags: str = "") -> None:
        """Remove an entry without telling anybody."""
        self._items += (entry, 0, flags, call, b"", b"", b"", b"")
        self.count += 1

    def seen(self, caller: str, value: bytes) -> None:
        """Note the ledger's value for a caller."""
        self._seen[caller] = value

    def command(self, *, whole: bool = False) -> Command:
        """Make the command: short, or whole with the script's text."""
        flat: list[Argument] = []
        for caller, value in self._seen.items():
            flat += (caller, value)
        operation = script("commit")
        make = operation.eval if whole else operation.evalsha
        return make(self._fixed + self._inboxes, [self._token, len(flat), *flat, *self._items])

    def _position(self, caller: str) -> int:
        position = self._positions.get(caller)
        if position is None:
            position = self._positions[caller] = len(self._inboxes) + 1
            self._inboxes += (self._keys.inbox(caller), self._keys.holds(caller))
        return position


def charge(keys: Keyspace, actor: str, token: str, charges: Sequence[tuple[bytes, bytes]]) -> Command:
    """Note how often calls have been charged: pairs of call id and ``<count> <incarnation>``."""
    flat = [part for pair in charges for part in pair]
    return script("charge").eval([keys.actor(actor), keys.attempts(actor)], [token, *flat])


def reject(keys: Keyspace, actor: str, token: str, entry: bytes, reason: str, fields: Sequence[Argument]) -> Command:
    """Set an entry aside that failed verification."""
    return script("reject").eval(
        [keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.rejected(actor)],
        [token, entry, reason, *(fields or ("fields", "none"))],
    )
