"""Shelves: the directories of the living among a callboard's segments.

Their owners hold a lock on them; the kernel takes it away when they end, in whatever way.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import TYPE_CHECKING, Final

from callboard_broker.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Where free segments lie, among the shelves.
FREE: Final = "free"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Shelf:
    """The directory of a living client or node, locked until it is closed or this process ends.

    Args:
        root: Directory of the callboard.
        owner: Whose it is.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, root: Path, owner: str) -> None:
        self._root = root
        self._path = root / owner
        self._fd = -1
        while self._fd < 0:
            (root / FREE).mkdir(mode=0o700, parents=True, exist_ok=True)
            # What goes wrong between these steps is a sweep that has found it unlocked, or the last to leave.
            with contextlib.suppress(FileNotFoundError):
                self._path.mkdir(mode=0o700, exist_ok=True)
                self._fd = self._locked()
        _shelves.add(self)

    def names(self) -> list[str]:
        """Return the names of the segments on it."""
        return os.listdir(self._path)  # noqa: PTH208 - names are what is wanted

    def close(self) -> None:
        """Leave what is on it to the sweep; harmless when repeated. The last to leave clears the directory."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            self._path.rmdir()
        self.unlock()
        _remove_if_empty(self._root)

    def unlock(self) -> None:
        """Let go of the lock, as far as this process has it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _locked(self) -> int:
        fd = os.open(self._path, _DIRECTORY)
        try:
            if try_lock(fd, alone=False) and os.path.samestat(os.fstat(fd), self._path.stat()):
                return fd
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return -1


_shelves: weakref.WeakSet[Shelf] = weakref.WeakSet()


def shelves(root: Path) -> list[str]:
    """Return the owners of all shelves of a callboard, alive or dead."""
    with contextlib.suppress(FileNotFoundError):
        return [name for name in os.listdir(root) if name != FREE]  # noqa: PTH208 - names are what is wanted
    return []


@contextlib.contextmanager
def unlocked(shelf: Path) -> Iterator[list[str] | None]:
    """Show the names on a shelf of nobody alive, which goes if it is empty afterwards; None for any other."""
    try:
        fd = os.open(shelf, _DIRECTORY)
    except OSError:
        yield None
        return
    try:
        if try_lock(fd, alone=True):
            yield os.listdir(fd)  # noqa: PTH208 - of an open directory
            with contextlib.suppress(OSError):
                shelf.rmdir()
        else:
            yield None
    finally:
        os.close(fd)


def _remove_if_empty(root: Path) -> None:
    """Remove a callboard's directory when only free segments are left in it."""
    with contextlib.suppress(OSError):
        if os.listdir(root) != [FREE]:  # noqa: PTH208 - as above
            return
        for entry in (root / FREE).iterdir():
            entry.unlink(missing_ok=True)
        (root / FREE).rmdir()
        try:
            root.rmdir()
        except OSError:
            # Somebody has come meanwhile.
            (root / FREE).mkdir(mode=0o700, exist_ok=True)


def _in_child() -> None:
    # The parent's lock is told by the parent's life alone.
    for shelf in list(_shelves):
        shelf.unlock()


os.register_at_fork(after_in_child=_in_child)
