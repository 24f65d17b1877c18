"""Signed envelopes: what travels through Redis, how it is signed, and how it is verified before anybody unpickles it.

Every envelope carries a MAC: keyed BLAKE2b under a key derived for its kind, over the kind, the prefix, the target (the
actor, client or class it is meant for) and all its fields, each with its length. So no field can be changed, dropped or
moved into another, and no entry can be shown to another actor, as another kind, or in another callboard. A body above
`LARGE` bytes enters as its SHA-256, which is the faster of the two on large bodies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from callboard_broker import timing
from callboard_broker.errors import ForgedEntryError, MalformedEntryError, StaleEntryError
from callboard_broker.packing import HOLE, template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.clusterkey import ClusterKey
    from callboard_broker.wire import Reply

#: Method of the call that ends its actor, which takes no calls after it.
TERMINATE: Final = "__ray_terminate__"
#: Bytes of body from which SHA-256 is the cheaper way to cover it.
LARGE: Final = 8192
#: Milliseconds for which an entry may lie between being signed and reaching the mailbox; older ones are replays.
STALE_MS: Final = 3_600_000
_MAC_BYTES: Final = 16

#: What a MAC takes behind a head, with the space before it.
_TAIL_BYTES: Final = 1 + 2 * _MAC_BYTES
#: What a MAC covers of a head and a body.
_COVERED: Final = b"%d:%b%d:%b"
#: A head and a body.
Sealable: TypeAlias = tuple[bytes, bytes]


class Signer:
    """Sign and verify what is meant for one target; made once per target, as it holds the hashed preamble.

    Args:
        key: The cluster key.
        kind: ``call``, ``outcome``, ``creation``, ``class``, ``object``, ``task``, ``command`` or ``output``.
        prefix: Of the callboard.
        target: Whom it is meant for: an actor, a client, a class.
    """

    __slots__ = ("_base",)

    def __init__(self, key: ClusterKey, kind: str, prefix: str, target: str) -> None:
        preamble = [part.encode() for part in (kind, prefix, target)]
        self._base = hashlib.blake2b(_framed(preamble), key=key.derive(kind), digest_size=_MAC_BYTES)

    def sign(self, fields: Sequence[bytes], body: bytes) -> bytes:
        """Return the MAC of fields and a body, in hexadecimal."""
        mac = self._base.copy()
        mac.update(_framed(fields))
        # Its length says which of the two forms the body has, so neither can pass as the other.
        mac.update(b"%d:" % len(body))
        mac.update(body if len(body) <= LARGE else hashlib.sha256(body).digest())
        return mac.hexdigest().encode()

    def seal(self, head: bytes, body: bytes) -> bytes:
        """Return a head with the MAC of head and body behind it: how calls and outcomes travel."""
        mac, size = self._base.copy(), len(body)
        content = body if size <= LARGE else hashlib.sha256(body).digest()
        mac.update(_COVERED % (len(head), head, size, content))
        return b"%b %b" % (head, mac.hexdigest().encode())

    def unseal(self, sealed: bytes, body: bytes) -> bytes | None:
        """Return the head that `seal` was given; None when that was not us, or for another body."""
        head = sealed[:-_TAIL_BYTES]
        return head if compare_digest(self.seal(head, body), sealed) else None

    def seal_together(self, parts: Sequence[Sealable]) -> bytes:
        """Return the first of several heads with one MAC of all heads and bodies behind it; of one the same as `seal`.

        Each part of what is covered has its length, and their number follows from it.
        """
        mac = self._base.copy()
        covered = [
            _COVERED % (len(head), head, len(body), body if len(body) <= LARGE else hashlib.sha256(body).digest())
            for head, body in parts
        ]
        mac.update(b"".join(covered))
        return b"%b %b" % (parts[0][0], mac.hexdigest().encode())

    def verify(self, fields: Sequence[bytes], body: bytes, mac: bytes) -> bool:
        """Tell whether a MAC is the one that we would have made."""
        return compare_digest(self.sign(fields, body), mac)


def _framed(parts: Sequence[bytes]) -> bytes:
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


@dataclass(slots=True)
class Call:
    """A call as it lies in a mailbox.

    Attributes:
        entry: Stream entry id, given by the server.
        id: ``<caller>/<n>``, unique.
        seq: Number of this call among those of its caller to this actor, from 1, without gaps.
        method: Name of the method.
        retries: How often it may be run again after its process died; -1 for ever.
        opts: JSON of what is rarely set; ``b""`` for none.
        body: Pickled arguments.
    """

    entry: bytes
    id: bytes
    seq: int
    method: str
    retries: int
    opts: bytes
    body: bytes

    @property
    def caller(self) -> str:
        """Return the client that made the call; ``-`` for the entry of nobody."""
        return self.id[: self.id.rfind(b"/")].decode()

    @property
    def streams(self) -> int:
        """Return how many items the call may be ahead of its reader, -1 for any number; 0 when it gives no items."""
        return int(self.option("stream") or 0)

    def option(self, name: str) -> Any:
        """Return what is set under a name in ``opts``; None when nothing is."""
        return json.loads(self.opts).get(name) if self.opts else None


def call_fields(
    signer: Signer,
    version: bytes,
    call: bytes,
    seq: int,
    method: bytes,
    retries: int,
    sent: int,
    opts: bytes,
    body: bytes,
) -> tuple[bytes, ...]:
    """Make the signed fields of a call, ready to follow ``XADD <mailbox> NOMKSTREAM *``.

    They are ``call``, a line that people can read (version, id, number, method, retries, moment, perhaps options, MAC),
    and ``body``. Nothing in the line but the options, which come last, has a space in it.
    """
    head = _HEAD % (version, call, seq, method, retries, sent)
    return (b"call", signer.seal(b"%b %b" % (head, opts) if opts else head, body), b"body", body)


_HEAD: Final = b"%b %b %d %b %d %d"


class CallWriter:
    """Write plain calls to one mailbox, ready to be sent.

    The entries are those that `call_fields` makes, several times faster.

    Args:
        signer: For the actor.
        version: Of the format, and which key signs.
        mailbox: The stream.
    """

    __slots__ = ("_seal", "_template", "_version")

    def __init__(self, signer: Signer, version: bytes, mailbox: bytes) -> None:
        self._seal = signer.seal
        self._version = version
        self._template = template("XADD", mailbox, "NOMKSTREAM", "*", b"call", HOLE, b"body", HOLE)

    def write(self, call: bytes, seq: int, method: bytes, retries: int, sent: int, body: bytes) -> bytes:
        """Return the packed command that appends a call without options."""
        sealed = self._seal(_HEAD % (self._version, call, seq, method, retries, sent), body)
        return self._template % (len(sealed), sealed, len(body), body)


def renewed(signer: Signer, command: Sequence[bytes], moment: int) -> list[bytes]:
    """Return a command that posts a call, signed at another moment; the call's fields come last in it.

    Raises:
        ForgedEntryError: It has not been made by `call_fields` or a `CallWriter`.
    """
    *before, sealed, name, body = command
    head = signer.unseal(sealed, body)
    if head is None:
        raise ForgedEntryError("a command to be sent again does not end with a call of ours")
    parts = head.split(b" ", 6)
    parts[5] = b"%d" % moment
    return [*before, signer.seal(b" ".join(parts), body), name, body]


def open_call(signer: Signer, entry: bytes, flat: Sequence[Reply]) -> Call:
    """Verify a mailbox entry and return the call in it.

    Raises:
        MalformedEntryError: It does not have the two fields of a call.
        ForgedEntryError: Its MAC is not ours.
        StaleEntryError: It was signed more than an hour before it reached the mailbox, and before now. The ids of
            entries stay ahead when the server's clock was.
    """
    if len(flat) != 4 or flat[0] != b"call" or flat[2] != b"body":  # noqa: PLR2004 - two fields and their values
        raise MalformedEntryError(f"entry {entry.decode()} does not have the fields of a call")
    sealed: bytes = flat[1]  # type: ignore[assignment] # stream fields are strings
    body: bytes = flat[3]  # type: ignore[assignment]
    head = signer.unseal(sealed, body)
    if head is None:
        raise ForgedEntryError(f"entry {entry.decode()} does not bear a valid MAC")
    # From here on the fields are what a holder of the cluster key wrote.
    _, call, number, method, budget, moment, *opts = head.split(b" ", 6)
    opened = Call(entry, call, int(number), method.decode(), int(budget), opts[0] if opts else b"", body)
    latest = int(moment) + STALE_MS
    # The actor takes no call after the one that ends it, and would never end without it.
    if int(entry[: entry.find(b"-")]) > latest and timing.earliest_ms() > latest and opened.method != TERMINATE:
        refusal = StaleEntryError(f"entry {entry.decode()} was signed more than an hour before it was posted")
        refusal.call = opened
        raise refusal
    return opened


@dataclass(slots=True)
class Outcome:
    """How a call ended, as it lies in its caller's inbox, perhaps in one entry with others.

    Attributes:
        call: Id of the call.
        status: ``ok``, ``error`` (the method raised), or a status of `callboard_broker.deaths` with a JSON body.
        tokens: What the body carries: handles and object references, as ``a:<actor>`` and ``o:<object>``.
        body: Pickled result or exception, or JSON.
    """

    call: bytes
    status: bytes
    tokens: bytes
    body: bytes


def head_of(outcome: Outcome) -> bytes:
    """Return the name of the field under which an outcome's body stands in an inbox: id, status and tokens."""
    call, status, tokens = outcome.call, outcome.status, outcome.tokens
    return b"%b %b %b" % (call, status, tokens) if tokens else b"%b %b" % (call, status)


def seal_outcome(signer: Signer, outcome: Outcome) -> bytes:
    """Return the head of an outcome that stands in an entry of its own, with its MAC."""
    return signer.seal(head_of(outcome), outcome.body)


def without_mac(sealed: bytes) -> bytes:
    """Return the head of an outcome that we have sealed ourselves."""
    return sealed[:-_TAIL_BYTES]


def open_outcomes(signer: Signer, entry: Sequence[bytes]) -> list[Outcome]:
    """Verify an inbox entry, heads and bodies in turn, and return the outcomes in it.

    The MAC of all of them stands behind the first head.

    Raises:
        ForgedEntryError: It is not ours.
    """
    sealed, body, *others = entry
    head = without_mac(sealed)
    parts = [(head, body)]
    if others:
        parts += zip(others[::2], others[1::2], strict=True)
    # Of one both are the same, and this is the shorter way.
    ours = signer.seal_together(parts) if others else signer.seal(head, body)
    if not compare_digest(ours, sealed):
        raise ForgedEntryError(f"the outcome {sealed[:200]!r} does not bear a valid MAC")
    outcomes = []
    for head, body in parts:
        call, status, *tokens = head.split(b" ", 2)
        outcomes.append(Outcome(call, status, tokens[0] if tokens else b"", body))
    return outcomes


def seal_fields(signer: Signer, names: Sequence[str], values: Sequence[bytes], body: bytes) -> tuple[bytes | str, ...]:
    """Make the signed fields of a hash (creation, class, object): the named values, ``mac`` and ``body``."""
    pairs: list[bytes | str] = []
    for name, value in zip(names, values, strict=True):
        pairs += (name, value)
    return (*pairs, "mac", signer.sign(values, body), "body", body)


def open_fields(signer: Signer, names: Sequence[str], stored: dict[str, bytes], what: str) -> bytes:
    """Verify a hash that `seal_fields` made and return its body.

    Raises:
        MalformedEntryError: It lacks fields.
        ForgedEntryError: Its MAC is not ours.
    """
    missing = [name for name in (*names, "mac", "body") if name not in stored]
    if missing:
        raise MalformedEntryError(f"{what} lacks {', '.join(missing)}")
    if not signer.verify([stored[name] for name in names], stored["body"], stored["mac"]):
        raise ForgedEntryError(f"{what} does not bear a valid MAC")
    return stored["body"]
