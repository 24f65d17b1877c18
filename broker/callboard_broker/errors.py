"""Errors of callboard and of its broker.

    RayError
    +-- BrokerError
        +-- BrokerUnreachableError
        +-- BrokerTooOldError
        +-- EvictionPolicyError
        +-- BrokerRefusedError
        +-- EmbeddedServerMissingError
        +-- EmbeddedServerFailedError
        +-- ClusterKeyMissingError
        +-- ClusterKeyInvalidError
        +-- ClusterKeyMismatchError
        +-- ClientGoneError
        +-- FencedError
        +-- EnvelopeError
            +-- ForgedEntryError
            +-- MalformedEntryError
            +-- StaleEntryError

Errors travel between processes, so each takes its message as the only, positional, argument: pickle restores that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard_broker.envelope import Call

__all__ = [
    "BrokerError",
    "BrokerRefusedError",
    "BrokerTooOldError",
    "BrokerUnreachableError",
    "ClientGoneError",
    "ClusterKeyInvalidError",
    "ClusterKeyMismatchError",
    "ClusterKeyMissingError",
    "EmbeddedServerFailedError",
    "EmbeddedServerMissingError",
    "EnvelopeError",
    "EvictionPolicyError",
    "FencedError",
    "ForgedEntryError",
    "MalformedEntryError",
    "RayError",
    "StaleEntryError",
]


class RayError(Exception):
    """Root of every error that callboard raises; the name that programs written for Ray already catch."""


class BrokerError(RayError):
    """Raised when the broker, the way to it, or what lies in it prevents an operation."""


class BrokerUnreachableError(BrokerError):
    """Raised when no connection to the server can be made or kept within its bound."""


class BrokerTooOldError(BrokerError):
    """Raised when the server is older than the oldest version that callboard works on."""


class EvictionPolicyError(BrokerError):
    """Raised when the server may evict keys, which would lose accepted calls."""


class BrokerRefusedError(BrokerError):
    """Raised when the server refuses an operation: out of memory, read-only, disk trouble, no permission."""

    @property
    def code(self) -> str:
        """Return the first word of what it said, which tells which refusal it is."""
        return str(self).partition(" ")[0]


class EmbeddedServerMissingError(BrokerError):
    """Raised when no server binary is found for the embedded broker."""


class EmbeddedServerFailedError(BrokerError):
    """Raised when the embedded server does not start, dies while starting, or cannot be stopped."""


class ClusterKeyMissingError(BrokerError):
    """Raised when no cluster key is configured and none may be created."""


class ClusterKeyInvalidError(BrokerError):
    """Raised when a configured cluster key is malformed, open to others, or cannot be read or written."""


class ClusterKeyMismatchError(BrokerError):
    """Raised when this process has another cluster key than the one the broker's entries are signed with."""


class ClientGoneError(BrokerError):
    """Raised when this client was declared dead, so that its calls and holdings no longer count."""


class FencedError(BrokerError):
    """Raised when a newer incarnation took over, so that nothing this one does counts any more."""


class EnvelopeError(BrokerError):
    """Raised when an entry cannot be accepted as what it claims to be; its body is never unpickled."""


class ForgedEntryError(EnvelopeError):
    """Raised when the signature of an entry does not match its content, place or kind."""


class MalformedEntryError(EnvelopeError):
    """Raised when an entry lacks a field, or a field cannot be read."""


class StaleEntryError(EnvelopeError):
    """Raised when a correctly signed entry is too old, so that it may be a replay."""

    #: What it says: never to be run, but its caller can be believed to be that.
    call: Call
