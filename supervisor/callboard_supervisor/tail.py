"""Reading the end of a file to which a worker writes: only whole lines, never too much at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes that are read at once.
CHUNK: Final = 1 << 18
#: Bytes that may wait to be read; what is before the last `CHUNK` of more is skipped.
MOST_BEHIND: Final = 1 << 22
#: Bytes of a line that are shown.
LONGEST_LINE: Final = 8192


class Tail:
    """What is written to a file from now on.

    Args:
        path: The file, which need not exist yet.
    """

    __slots__ = ("_offset", "_path", "behind")

    def __init__(self, path: Path) -> None:
        self._path = path
        #: Whether the last `read` left something that it could have read.
        self.behind = False
        self._offset = 0
        self.skip()

    @property
    def waiting(self) -> bool:
        """Tell whether something has been written that was not read."""
        return self._size() > self._offset

    def skip(self) -> None:
        """Pass over what has been written."""
        self.behind = False
        self._offset = self._size()

    def read(self, *, ended: bool) -> list[str]:
        """Return the lines that have been written since the last time, without their ends, or the first of many.

        Long lines are cut, and say so; so does what is skipped when too much has been written.

        Args:
            ended: Nobody writes any more, so that what has no end is a line, too.
        """
        self.behind = False
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                # It may have been cut by hand.
                self._offset = min(self._offset, size)
                skipped = self._skip_most(size)
                file.seek(self._offset)
                data = file.read(CHUNK)
        except OSError:
            return []
        self.behind = self._offset + len(data) < size
        end = data.rfind(b"\n") + 1
        if (ended and not self.behind) or (not end and len(data) == CHUNK):
            end = len(data)
        self._offset += end
        lines = data[:end].removesuffix(b"\n").split(b"\n") if end else []
        return skipped + [_shown(line) for line in lines]

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _skip_most(self, size: int) -> list[str]:
        if size - self._offset <= MOST_BEHIND:
            return []
        skipped = size - CHUNK - self._offset
        self._offset += skipped
        return [f"... {skipped:,} bytes were too much to be shown; they are in {self._path}"]


def _shown(line: bytes) -> str:
    line = line.removesuffix(b"\r")
    cut = len(line) - LONGEST_LINE
    text = line[:LONGEST_LINE].decode(errors="replace")
    return f"{text} ... [{cut:,} more bytes]" if cut > 0 else text
