"""Operations on streams of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from callboard_broker.packing import Argument, Command

#: Milliseconds for which a read blocks in the server; below the wire's bound of silence.
_BLOCK_MS: Final = 10_000


def read(stream: bytes, group: str, reader: str, count: int) -> Command:
    """Take what a group has not been given yet, at most so many entries, or wait some seconds for it.

    Nothing is to be acknowledged: whose connection breaks makes another group.
    """
    return _read(stream, group, reader, count, "BLOCK", _BLOCK_MS)


def read_on(stream: bytes, group: str, reader: str, count: int) -> Command:
    """Take what a group has not been given yet, without waiting; sent in one packet with a `read`.

    A `read` that waits is answered as soon as there is a first entry. What was sent in one packet with that entry, this
    one finds.
    """
    return _read(stream, group, reader, count)


def _read(stream: bytes, group: str, reader: str, count: int, *wait: Argument) -> Command:
    return ("XREADGROUP", "GROUP", group, reader, "COUNT", count, *wait, "NOACK", "STREAMS", stream, ">")
