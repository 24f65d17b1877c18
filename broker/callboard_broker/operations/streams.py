"""Operations on streams of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from callboard_broker.wire import Command

#: Milliseconds for which a read blocks in the server; below the wire's bound of silence.
_BLOCK_MS: Final = 10_000


def read(stream: bytes, group: str, reader: str, count: int) -> Command:
    """Take what a group has not been given yet, at most so many entries, or wait some seconds for it.

    Nothing is to be acknowledged: whose connection breaks makes another group.
    """
    return (
        "XREADGROUP", "GROUP", group, reader, "COUNT", count, "BLOCK", _BLOCK_MS, "NOACK", "STREAMS", stream, ">",
    )  # fmt: skip
