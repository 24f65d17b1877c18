"""Segments: large values in shared memory, for processes of one user on one host.

A callboard has a directory beside the status pages, named by its id:

    <callboard>/free/<bytes>.<random>      segments that wait to be used again: fresh memory is what costs
    <callboard>/<owner>/<number>.<giver>   a value in use

Each client and each node has a *shelf*, the directory named by its id, and a lock on it for as long as it lives.
Whoever finds the shelf of another is on its host. On that of a client lie the arguments of its calls, for an actor,
and the outcomes that workers gave to it. A name stands for one value for ever; a segment gets a new name with each
value. Who reads has a shared lock on what is mapped until the last view into it is gone, so who frees a segment sees
whether it may be used again, or must be left to its readers.

Nothing here is signed: only this user can enter the directory, and who can do that can do everything else, too.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import stat
import threading
import time
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from callboard_broker import mappings
from callboard_broker.locks import try_lock
from callboard_broker.mappings import Mapping
from callboard_broker.page import page_directory
from callboard_broker.shelves import FREE, Shelf, shelves, unlocked
from callboard_broker.windows import window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Part: TypeAlias = bytes | bytearray | memoryview
"""Some of the bytes of a value."""

#: Bytes that may wait to be used again; of a small shared memory no more than an eighth.
_POOL: Final = 1 << 28
#: A segment is not used for less than a fourth of what it holds.
_WASTE: Final = 4
#: Smallest step between the sizes of segments.
_STEP: Final = 1 << 16
#: Bytes from which copying through a window costs less than by a system call.
_WINDOW: Final = 1 << 19
#: Parts that the kernel takes at once.
_PARTS: Final = 1024
#: Seconds for which a reader waits for the lock of one who freed the segment for its present value, between two looks
#: and altogether. That one may have been stopped, but for a moment it only closes a file.
_MOMENT: Final = 0.0005
_PATIENCE: Final = 5.0
#: Segments that a process maps: each is an open file. Values beyond this number are copied.
_MAPPED: Final = 256
_FILE: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class SegmentGoneError(LookupError):
    """A segment is not there, or not any more."""


class Segments:
    """The segments of one callboard on this host.

    Args:
        root: Its directory, which must exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._at = str(root)
        about = os.statvfs(root)
        total = about.f_blocks * about.f_frsize
        self._least_left = total // 2
        self._pool = min(_POOL, total // 8)

    @classmethod
    def of(cls, callboard: str) -> Self | None:
        """Return the segments of a callboard; None where there is no shared memory that only we can enter.

        Args:
            callboard: Its id.
        """
        try:
            root = page_directory() / callboard
            root.mkdir(mode=0o700, exist_ok=True)
            found = root.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
                return None
            return cls(root)
        except OSError:
            return None

    def shelf(self, owner: str) -> Shelf | None:
        """Make the shelf of a client or node and lock it; None when that is not possible."""
        try:
            return Shelf(self.root, owner)
        except OSError:
            return None

    def there(self, owner: str, name: str) -> bool:
        """Tell whether a value is on a shelf, at this moment."""
        return os.path.exists(f"{self._at}/{owner}/{name}")  # noqa: PTH110 - as below

    def near(self, owner: str) -> bool:
        """Tell whether a client or node is on this host."""
        return os.path.isdir(f"{self._at}/{owner}")  # noqa: PTH112 - a path object costs more than the look

    def write(self, owner: str, name: str, parts: Sequence[Part]) -> bool:
        """Put a value on a shelf; tell whether that was possible.

        It is not when the shelf is not there, when the name is taken, or when a new segment would take more than our
        share of the memory. Whoever is told the name afterwards finds all of the value.
        """
        path, size = f"{self._at}/{owner}/{name}", sum(map(len, parts))
        if os.path.lexists(path):
            return False
        try:
            fd = self._claim(path, size)
            if fd is None:
                fd = self._make(path, size)
            if fd is None:
                return False
            try:
                _write(fd, path, parts, size)
            finally:
                os.close(fd)
            return True
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - as above
            return False

    def read(self, owner: str, name: str, size: int) -> Mapping | bytes:
        """Return the first bytes of a value: mapped, or copied when too much is mapped already.

        Raises:
            SegmentGoneError: It has been freed, or was never there.
            OSError: The process has too many open files.
        """
        with self._reading(owner, name, size) as fd:
            if len(mappings.mapped) >= _MAPPED:
                return os.pread(fd, size, 0)
            # It has a descriptor of its own for the same lock.
            found = Mapping(fd, size, access=mmap.ACCESS_READ)
        mappings.mapped.add(found)
        return found

    @contextlib.contextmanager
    def look(self, owner: str, name: str, size: int) -> Iterator[memoryview]:
        """Show the first bytes of a value, of which no view may be kept. Raises as `read` does."""
        with self._reading(owner, name, size) as fd:
            if size < _WINDOW:
                yield memoryview(os.pread(fd, size, 0))
                return
            with window(f"{self._at}/{owner}/{name}") as mapped, memoryview(mapped) as whole, whole[:size] as shown:
                yield shown

    def free(self, owner: str, name: str, *, again: bool = True) -> None:
        """Take a value away: its segment is used again, unless it is still read, or there are enough.

        Harmless when it is gone already.

        Args:
            owner: Whose shelf it lies on.
            name: Its name.
            again: Whether its segment may be used again at all.
        """
        path = f"{self._at}/{owner}/{name}"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not (again and self._give_back(path)):
                os.unlink(path)  # noqa: PTH108 - as above

    def unlocked(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each shelf of nobody alive, by its owner and the names on it; it goes when it is empty afterwards."""
        for owner in shelves(self.root):
            with unlocked(self.root / owner) as names:
                if names is not None:
                    yield owner, names

    def trim(self, idle: float) -> None:
        """Remove the segments that have been free for some seconds."""
        before = time.time() - idle
        with contextlib.suppress(FileNotFoundError), os.scandir(self.root / FREE) as found:
            for entry in found:
                # Whoever takes one meanwhile, or removes it, was faster.
                with contextlib.suppress(FileNotFoundError):
                    # Being renamed changes this time, being written to the other.
                    if entry.stat(follow_symlinks=False).st_ctime < before:
                        os.unlink(entry.path)  # noqa: PTH108 - as above

    @contextlib.contextmanager
    def _reading(self, owner: str, name: str, size: int) -> Iterator[int]:
        """Open a value with the lock of readers."""
        path = f"{self._at}/{owner}/{name}"
        try:
            fd = os.open(path, _FILE)
        except (FileNotFoundError, NotADirectoryError):
            raise SegmentGoneError(f"there is no segment {path}") from None
        try:
            self._lock_to_read(fd, path, size)
            yield fd
        finally:
            os.close(fd)

    @staticmethod
    def _lock_to_read(fd: int, path: str, size: int) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            locked = try_lock(fd, alone=False)
            try:
                # Locked first, looked at then: who frees it takes the other lock before it takes the name away.
                about, named = os.fstat(fd), os.stat(path)  # noqa: PTH116 - as above
            except FileNotFoundError:
                break
            if not os.path.samestat(about, named) or about.st_size < size:
                break
            if locked:
                return
            # It has its name, so it is in use: who freed it for that is about to let go.
            threading.Event().wait(_MOMENT)
        raise SegmentGoneError(f"the segment {path} has been freed")

    def _claim(self, path: str, size: int) -> int | None:
        """Take a free segment; its name is ours alone from the moment that it was renamed."""
        most = _WASTE * max(size, _STEP)
        free = f"{self._at}/{FREE}"
        fitting = [(held, name) for held, name in _sized(os.listdir(free)) if size <= held <= most]  # noqa: PTH208
        for _, name in sorted(fitting):
            try:
                os.rename(f"{free}/{name}", path)  # noqa: PTH104 - as above
            except FileNotFoundError:
                continue
            return os.open(path, _FILE)
        return None

    def _make(self, path: str, size: int) -> int | None:
        about = os.statvfs(self._at)
        step = max(_STEP, 1 << max(0, size.bit_length() - 4))
        rounded = -(-size // step) * step
        if about.f_bavail * about.f_frsize - rounded < self._least_left:
            return None
        fd = os.open(path, _FILE | os.O_CREAT | os.O_EXCL, 0o600)
        # A little longer than this value, so that the next one of about this size fits, too.
        os.ftruncate(fd, rounded)
        return fd

    def _give_back(self, path: str) -> bool:
        """Move a segment to the free ones; False when it is still read, or there is no room."""
        fd = os.open(path, _FILE)
        try:
            if not try_lock(fd, alone=True):
                return False
            size = os.fstat(fd).st_size
            waiting = sum(held for held, _ in _sized(os.listdir(f"{self._at}/{FREE}")))  # noqa: PTH208 - as above
            if waiting + size > self._pool:
                return False
            os.rename(path, f"{self._at}/{FREE}/{size}.{secrets.token_hex(8)}")  # noqa: PTH104 - as above
            return True
        finally:
            os.close(fd)


def _sized(names: list[str]) -> Iterator[tuple[int, str]]:
    for name in names:
        yield int(name.partition(".")[0]), name


def _write(fd: int, path: str, parts: Sequence[Part], size: int) -> None:
    if size >= _WINDOW and os.fstat(fd).st_blocks * 512 >= size:
        # What is to be written has its memory, as it lies before what was written last: it cannot be lacking later.
        with window(path) as mapped:
            mapped.seek(0)
            for part in parts:
                mapped.write(part)
        return
    for first in range(0, len(parts), _PARTS):
        batch: list[Part] = list(parts[first : first + _PARTS])
        while batch:
            written = os.writev(fd, batch)
            while batch and written >= len(batch[0]):
                written -= len(batch.pop(0))
            if written:
                batch[0] = memoryview(batch[0])[written:]
