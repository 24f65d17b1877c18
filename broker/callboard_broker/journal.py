"""The journal: outcomes of a worker that have not been acknowledged, in shared memory that outlives it.

What has finished must not be lost when the next call takes the process down, so until the server has acknowledged it,
it stands here, as the commands that settle the calls; plain outcomes get their MAC from who sends them. The supervisor
sends what a dead worker left; settling a call twice changes nothing, so it does not matter what had been executed after
all.

A record is a byte that says whether it is there (1) or the end (0), four bytes of length, and the command. The byte is
stored last, so a worker killed between any two stores leaves whole records only.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes that the journal holds.
SIZE: Final = 1 << 18
_LENGTH: Final = struct.Struct("<I")
_HEAD: Final = 1 + _LENGTH.size


class Journal:
    """A mapped journal; memory is taken only for what has been used of it."""

    __slots__ = ("_map", "used")

    def __init__(self, mapped: mmap.mmap) -> None:
        self._map = mapped
        #: Bytes that notes take.
        self.used = 0

    @classmethod
    def create(cls, page: Path) -> Self:
        """Make the journal that belongs to a status page.

        Raises:
            OSError: The file cannot be made.
        """
        fd = os.open(journal_path(page), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, SIZE)
            return cls(mmap.mmap(fd, SIZE))
        finally:
            os.close(fd)

    def add(self, command: bytes) -> bool:
        """Note a packed command; tell whether there was room for it."""
        begin, length = self.used, len(command)
        end = begin + _HEAD + length
        if end >= SIZE:
            return False
        # With the end behind it.
        self._map[begin + 1 : end + 1] = b"%b%b\0" % (_LENGTH.pack(length), command)
        self._map[begin] = 1
        self.used = end
        return True

    def clear(self) -> None:
        """Forget everything: it has been sent."""
        self._map[0] = 0
        self.used = 0

    def close(self) -> None:
        """Unmap the journal. The file stays."""
        self._map.close()


def read_journal(page: Path) -> list[bytes]:
    """Return the commands that a dead worker left; none when it never had a journal."""
    try:
        content = journal_path(page).read_bytes()
    except FileNotFoundError:
        return []
    found: list[bytes] = []
    begin = 0
    while begin + _HEAD < len(content) and content[begin] == 1:
        (length,) = _LENGTH.unpack_from(content, begin + 1)
        found.append(content[begin + _HEAD : begin + _HEAD + length])
        begin += _HEAD + length
    return found


def journal_path(page: Path) -> Path:
    """Return where the journal of a status page lies."""
    return page.with_name(page.name + ".journal")
