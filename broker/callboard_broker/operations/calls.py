"""Operations on calls: posting, settling, charging, setting aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callboard_broker.envelope import without_mac
from callboard_broker.ids import worker_client_id
from callboard_broker.packing import arguments, pack, unpack
from callboard_broker.scripts import script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard_broker.envelope import Call, Outcome, Signer
    from callboard_broker.keys import Keyspace
    from callboard_broker.packing import Argument, Command

#: What a worker is told about a call: to take back what that has called.
RECALL: Final = "recall"
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


def cancel(
    keys: Keyspace,
    client: str,
    actor: str,
    entry: bytes,
    number: int,
    *,
    outcome: Outcome,
    sealed: bytes,
    recursive: bool,
) -> Command:
    """Take a call back, and give it an outcome that says so.

    Args:
        keys: Of this callboard.
        client: Who made the call.
        actor: Whose mailbox it is in.
        entry: Entry id.
        number: Its number among those of its caller to this actor.
        outcome: What the client is told.
        sealed: Its head.
        recursive: Whether to take back, too, what the call has called.
    """
    return script("cancel").eval(
        [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.attempts(actor), keys.carried(actor),
            keys.outbox, keys.control(actor), keys.inbox(client),
        ],
        [entry, outcome.call, number, sealed, outcome.body, RECALL if recursive else ""],
    )  # fmt: skip


def tell_caller(keys: Keyspace, caller: str, sealed: bytes) -> Command:
    """Tell a client something that is no outcome of a call and has no body."""
    return ("XADD", keys.inbox(caller), "NOMKSTREAM", "*", sealed, b"")


def tell(keys: Keyspace, actor: str, op: str, call: bytes, number: int) -> Command:
    """Tell an actor's worker something about a call."""
    return script("tell").eval([keys.actor(actor), keys.control(actor)], [op, call, number])


def give(keys: Keyspace, actor: str, token: str, call: Call, item: Outcome, sealed: bytes) -> Command:
    """Give a caller one item of a call that goes on.

    Args:
        keys: Of this callboard.
        actor: Whose call it is.
        token: Of the incarnation that runs it.
        call: Which.
        item: The item, under its own id.
        sealed: Its head.
    """
    worker = worker_client_id(actor, token)
    return script("yield").eval(
        [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.outbox, keys.inbox(worker),
            keys.holds(worker), keys.inbox(call.caller), keys.holds(call.caller),
        ],
        [token, call.entry, item.call, item.tokens, sealed, item.body],
    )  # fmt: skip


def load_settling() -> list[Command]:
    """Make the commands after which a connection takes what `CommitWriter` writes, and loaded settlements."""
    return [script("commit").load(), script("settle").load()]


def outcomes_in(packed: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """Return the outcomes in a command that settles calls: head and body by call id.

    Of a loaded `Settlement` only those that carry nothing; of any other command none.
    """
    command = unpack(packed)
    if command[:2] == [b"EVALSHA", script("commit").sha.encode()]:
        parts = command[CommitWriter.FIXED :]
        sealed, *rest = parts[len(parts) // 3 :]
        outcomes = [without_mac(sealed), *rest]
    elif command[:2] == [b"EVALSHA", script("settle").sha.encode()]:
        keys = int(command[2])
        parts = command[5 + keys + int(command[4 + keys]) :]
        items = [parts[at : at + Settlement.VALUES] for at in range(0, len(parts), Settlement.VALUES)]
        plain = [(sealed, body) for *_, tokens, sealed, body in items if sealed and not tokens]
        outcomes = [part for sealed, body in plain for part in (without_mac(sealed), body)]
    else:
        return {}
    pairs = zip(outcomes[::2], outcomes[1::2], strict=True)
    return {head[: head.index(b" ")]: (head, body) for head, body in pairs}


class CommitWriter:
    """Write commits of outcomes to one caller, ready to be sent; the script must have been loaded.

    Args:
        keys: Of this callboard.
        actor: Whose calls they are.
        token: Of the incarnation that settles them.
        caller: Client to tell.
        signer: Seals what it is told.
    """

    __slots__ = ("_fixed", "_signer")

    #: Arguments of the command beside those of the calls.
    FIXED: Final = 11

    def __init__(self, keys: Keyspace, actor: str, token: str, caller: str, signer: Signer) -> None:
        self._signer = signer
        self._fixed = arguments(
            "EVALSHA", script("commit").sha, 5, keys.actor(actor), keys.mailbox(actor), keys.sealed(actor),
            keys.seen(actor), keys.inbox(caller), token, caller,
        )  # fmt: skip

    def alone(self, finished: bytes, outcome: tuple[bytes, bytes, bytes]) -> bytes:
        """Return the packed command that settles one call, as `command` does."""
        entry, head, body = outcome
        return self.note(finished, (entry, self._signer.seal(head, body), body))

    def note(self, finished: bytes, outcome: tuple[bytes, bytes, bytes]) -> bytes:
        """Return the same without a MAC, which takes as long as all else; `sealed_note` adds it."""
        entry, head, body = outcome
        return _ALONE % (
            self._fixed, len(finished), finished, len(entry), entry, len(head), head, len(body), body
        )  # fmt: skip

    def command(self, finished: bytes, outcomes: Sequence[tuple[bytes, bytes, bytes]]) -> bytes:
        """Return the packed command that settles calls, at most `BATCH` of them.

        Args:
            finished: What the ledger is to say.
            outcomes: Of each call its entry id, and the head and body of its outcome. One MAC covers all of them.
        """
        if len(outcomes) == 1:
            return self.alone(finished, outcomes[0])
        count = self.FIXED + 3 * len(outcomes)
        parts = [b"*%d\r\n%b$%d\r\n%b\r\n" % (count, self._fixed, len(finished), finished)]
        parts += [b"$%d\r\n%b\r\n" % (len(entry), entry) for entry, _, _ in outcomes]
        told = [(head, body) for _, head, body in outcomes]
        told[0] = (self._signer.seal_together(told), told[0][1])
        parts += [_OUTCOME % (len(head), head, len(body), body) for head, body in told]
        return b"".join(parts)


def sealed_note(packed: bytes, signer: Callable[[str], Signer]) -> bytes:
    """Return a command from a journal as the server is to get it: what `CommitWriter.note` made gets its MAC.

    Args:
        packed: The command.
        signer: Returns the one for a client.
    """
    command = unpack(packed)
    if command[:2] != [b"EVALSHA", script("commit").sha.encode()]:
        return packed
    *_, caller, _, _, head, body = command
    return pack((*command[:-2], signer(caller.decode()).seal(head, body), body))


_ALONE: Final = b"*14\r\n%b" + b"$%d\r\n%b\r\n" * 4
_OUTCOME: Final = b"$%d\r\n%b\r\n$%d\r\n%b\r\n"


class Settlement:
    """Collect outcomes of one actor's calls for one commit.

    Args:
        keys: Of this callboard.
        actor: Whose calls they are.
        token: Of the incarnation that settles them.
    """

    __slots__ = ("_actor", "_fixed", "_inboxes", "_items", "_keys", "_positions", "_seen", "_token", "count")

    #: Values of one call.
    VALUES: Final = 7

    def __init__(self, keys: Keyspace, actor: str, token: str) -> None:
        self._keys = keys
        self._actor = actor
        self._token = token.encode()
        worker = worker_client_id(actor, token)
        self._fixed = [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.seen(actor), keys.attempts(actor),
            keys.carried(actor), keys.outbox, keys.inbox(worker), keys.holds(worker),
        ]  # fmt: skip
        self.clear()

    def clear(self) -> None:
        """Forget what has been collected."""
        self._inboxes: list[bytes] = []
        self._positions: dict[str, int] = {}
        self._items: list[Argument] = []
        self._seen: dict[str, bytes] = {}
        self.count = 0

    def add(self, entry: bytes, caller: str, outcome: Outcome, sealed: bytes, *, flags: str = "") -> None:
        """Add the outcome of a call.

        Args:
            entry: Entry id in the mailbox.
            caller: Client to tell; empty for nobody.
            outcome: What to tell.
            sealed: Its head.
            flags: ``c`` when the call carries tokens, ``a`` when it has been charged.
        """
        position = self._position(caller) if caller else 0
        self._items += (entry, position, flags, outcome.call, outcome.tokens, sealed, outcome.body)
        self.count += 1

    def discard(self, entry: bytes, call: bytes, *, flags: str = "") -> None:
        """Remove an entry without telling anybody."""
        self._items += (entry, 0, flags, call, b"", b"", b"")
        self.count += 1

    def seen(self, caller: str, value: bytes) -> None:
        """Note the ledger's value for a caller."""
        self._seen[caller] = value

    def command(self, *, loaded: bool = False) -> Command:
        """Make the command; a short one, if the script has been loaded."""
        flat: list[Argument] = []
        for caller, value in self._seen.items():
            flat += (caller, value)
        settle = script("settle")
        make = settle.eval_loaded if loaded else settle.eval
        return make(self._fixed + self._inboxes, [self._token, len(flat), *flat, *self._items])

    def _position(self, caller: str) -> int:
        position = self._positions.get(caller)
        if position is None:
            position = self._positions[caller] = len(self._inboxes) + 1
            self._inboxes += (self._keys.inbox(caller), self._keys.holds(caller))
        return position


def charge(keys: Keyspace, actor: str, token: str, charges: Sequence[tuple[bytes, bytes]]) -> Command:
    """Note how often calls have been charged: pairs of call id and ``<count> <incarnation> <method>``."""
    flat = [part for pair in charges for part in pair]
    return script("charge").eval([keys.actor(actor), keys.attempts(actor)], [token, *flat])


def turn_away(keys: Keyspace, actor: str, token: str, call: Call, outcome: Outcome, sealed: bytes) -> Command:
    """Give a call an outcome that was submitted while its actor restarts, as long as it does.

    Args:
        keys: Of this callboard.
        actor: Whose call it is.
        token: Of the incarnation that is being started.
        call: The call.
        outcome: What its caller is told.
        sealed: Its head.
    """
    return script("turn_away").eval(
        [
            keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.seen(actor), keys.carried(actor),
            keys.outbox, keys.inbox(call.caller),
        ],
        [token, call.entry, call.caller, call.seq, call.id, sealed, outcome.body],
    )  # fmt: skip


def reject(keys: Keyspace, actor: str, token: str, entry: bytes, reason: str, fields: Sequence[Argument]) -> Command:
    """Set an entry aside that failed verification."""
    return script("reject").eval(
        [keys.actor(actor), keys.mailbox(actor), keys.sealed(actor), keys.rejected(actor)],
        [token, entry, reason, *(fields or ("fields", "none"))],
    )
