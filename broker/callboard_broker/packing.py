"""Commands as bytes: packed as the server expects them, or laid out once where most of a command never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import hiredis

if TYPE_CHECKING:
    from collections.abc import Callable

Argument: TypeAlias = "bytes | str | int | float"
Command: TypeAlias = "tuple[Argument, ...]"

_pack_command: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment] # takes any tuple of arguments


def pack(*commands: Command) -> bytes:
    """Encode commands as the server expects them."""
    if len(commands) == 1:
        return _pack_command(commands[0])
    return b"".join(map(_pack_command, commands))


def unpack(packed: bytes) -> list[bytes]:
    """Decode one command that `pack` or a template made."""
    reader = hiredis.Reader()
    reader.feed(packed)
    return [part for part in reader.gets() if isinstance(part, bytes)]


#: Stands in a `template` for a value that is filled in each time.
HOLE: Final = object()


def template(*parts: Argument | object) -> bytes:
    """Encode a command that is sent over and over, leaving holes.

    The result is filled by ``template % (len(value), value, ...)`` with the bytes of each `HOLE` in turn: several times
    faster than packing two dozen arguments of which most never change.
    """
    return b"*%d\r\n" % len(parts) + arguments(*parts)


def arguments(*parts: Argument | object) -> bytes:
    """Encode arguments of a command without its head; with holes it is a `template`, without it is final."""
    encoded = []
    for part in parts:
        if part is HOLE:
            encoded.append(b"$%d\r\n%b\r\n")
        else:
            value = part if isinstance(part, bytes) else str(part).encode()
            encoded.append(b"$%d\r\n%b\r\n" % (len(value), value))
    if HOLE not in parts:
        return b"".join(encoded)
    return b"".join(
        text if part is HOLE else text.replace(b"%", b"%%") for part, text in zip(parts, encoded, strict=True)
    )
