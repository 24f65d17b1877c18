"""Signed envelopes: what travels through Redis, how it is signed, and how it is verified before anybody unpickles it.

Every envelope carries a MAC: keyed BLAKE2b under a key derived for its kind, over the kind, the prefix, the target (the
actor, client or class it is meant for) and all its fields, each with its length. So no field can be changed, dropped or
moved into another, and no entry can be shown to another actor, as another kind, or in another callboard. A body above
`LARGE` bytes enters as its SHA-256, which is the faster of the two on large bodies.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callboard_broker.errors import ForgedEntryError, MalformedEntryError, StaleEntryError
from callboard_broker.wire import HOLE, template

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

_CALL_FIELDS: Final = [b"v", b"id", b"seq", b"method", b"retries", b"sent", b"opts", b"mac", b"body"]
_CALL_FRAME: Final = b"%d:%b" * 7
_OUTCOME_FIELDS: Final = [b"id", b"status", b"tokens", b"mac", b"body"]
_OUTCOME_FRAME: Final = b"%d:%b" * 3


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

    def sign_framed(self, framed: bytes, body: bytes) -> bytes:
        """Return the same for fields that the caller has framed itself: ``<length>:<field>`` each."""
        mac = self._base.copy()
        mac.update(b"%b%d:%b" % (framed, len(body), body if len(body) <= LARGE else hashlib.sha256(body).digest()))
        return mac.hexdigest().encode()

    def verify(self, fields: Sequence[bytes], body: bytes, mac: bytes) -> bool:
        """Tell whether a MAC is the one that we would have made."""
        return hmac.compare_digest(self.sign(fields, body), mac)


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
    """Make the signed fields of a call, ready to follow ``XADD <mailbox> NOMKSTREAM *``."""
    number, budget, moment = b"%d" % seq, b"%d" % retries, b"%d" % sent
    mac = signer.sign((version, call, number, method, budget, moment, opts), body)
    return (
        b"v", version, b"id", call, b"seq", number, b"method", method, b"retries", budget, b"sent", moment,
        b"opts", opts, b"mac", mac, b"body", body,
    )  # fmt: skip


class CallWriter:
    """Write plain calls to one mailbox, ready to be sent.

    The entries are those that `call_fields` makes, several times faster.

    Args:
        signer: For the actor.
        version: What the ``v`` field says.
        mailbox: The stream.
    """

    __slots__ = ("_frame", "_signer", "_template")

    def __init__(self, signer: Signer, version: bytes, mailbox: bytes) -> None:
        self._signer = signer
        self._template = template(
            "XADD", mailbox, "NOMKSTREAM", "*", b"v", version, b"id", HOLE, b"seq", HOLE, b"method", HOLE,
            b"retries", HOLE, b"sent", HOLE, b"opts", b"", b"mac", HOLE, b"body", HOLE,
        )  # fmt: skip
        self._frame = _framed([version]).replace(b"%", b"%%") + b"%d:%b%d:%b%d:%b%d:%b%d:%b0:"

    def write(self, call: bytes, seq: int, method: bytes, retries: int, sent: int, body: bytes) -> bytes:
        """Return the packed command that appends a call without ``opts``."""
        number, budget, moment = b"%d" % seq, b"%d" % retries, b"%d" % sent
        heads = (
            len(call), call, len(number), number, len(method), method, len(budget), budget, len(moment), moment,
        )  # fmt: skip
        mac = self._signer.sign_framed(self._frame % heads, body)
        return self._template % (*heads, len(mac), mac, len(body), body)


def open_call(signer: Signer, entry: bytes, flat: Sequence[Reply]) -> Call:
    """Verify a mailbox entry and return the call in it.

    Raises:
        MalformedEntryError: It lacks fields, has others, or has them in another order.
        ForgedEntryError: Its MAC is not ours.
        StaleEntryError: It was signed more than an hour before it reached the mailbox.
    """
    if flat[::2] != _CALL_FIELDS:
        raise MalformedEntryError(f"entry {entry.decode()} does not have the fields of a call")
    values: list[bytes] = flat[1::2]  # type: ignore[assignment] # stream fields are strings
    version, call, number, method, budget, moment, opts, mac, body = values
    framed = _CALL_FRAME % (
        len(version), version, len(call), call, len(number), number, len(method), method, len(budget), budget,
        len(moment), moment, len(opts), opts,
    )  # fmt: skip
    if not hmac.compare_digest(signer.sign_framed(framed, body), mac):
        raise ForgedEntryError(f"entry {entry.decode()} does not bear a valid MAC")
    # From here on the fields are what a holder of the cluster key wrote.
    opened = Call(entry, call, int(number), method.decode(), int(budget), opts, body)
    # The actor takes no call after the one that ends it, and would never end without it.
    if int(entry[: entry.find(b"-")]) - int(moment) > STALE_MS and opened.method != TERMINATE:
        refusal = StaleEntryError(f"entry {entry.decode()} was signed more than an hour before it was posted")
        refusal.call = opened
        raise refusal
    return opened


@dataclass(slots=True)
class Outcome:
    """How a call ended, as it lies in its caller's inbox.

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


def sign_outcome(signer: Signer, outcome: Outcome) -> bytes:
    """Return the MAC of an outcome for its caller."""
    call, status, tokens = outcome.call, outcome.status, outcome.tokens
    framed = _OUTCOME_FRAME % (len(call), call, len(status), status, len(tokens), tokens)
    return signer.sign_framed(framed, outcome.body)


def open_outcome(signer: Signer, entry: bytes, flat: Sequence[Reply]) -> Outcome:
    """Verify an inbox entry and return the outcome in it.

    Raises:
        MalformedEntryError: It lacks fields, has others, or has them in another order.
        ForgedEntryError: Its MAC is not ours.
    """
    if flat[::2] != _OUTCOME_FIELDS:
        raise MalformedEntryError(f"entry {entry.decode()} does not have the fields of an outcome")
    values: list[bytes] = flat[1::2]  # type: ignore[assignment] # stream fields are strings
    call, status, tokens, mac, body = values
    outcome = Outcome(call, status, tokens, body)
    if not hmac.compare_digest(sign_outcome(signer, outcome), mac):
        raise ForgedEntryError(f"entry {entry.decode()} does not bear a valid MAC")
    return outcome


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
