"""Windows: segments that this process keeps mapped for a while after it has copied something into or out of them.

To map a segment of some megabytes costs about as much as to copy them, and the same few segments come again and again.
A window has no lock: who looks through it has one beside it, or is alone with the segment. It keeps the memory of a
segment that is gone, therefore windows are few and are closed when they have been idle.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes that are kept mapped by one process.
_MOST: Final = 1 << 26

_kept: OrderedDict[tuple[int, int], tuple[mmap.mmap, float]] = OrderedDict()
_lock = threading.Lock()


@contextlib.contextmanager
def window(path: str) -> Iterator[mmap.mmap]:
    """Map a segment for reading and writing, perhaps as before. All of what is touched must have its memory.

    Raises:
        OSError: The file cannot be opened or mapped.
    """
    about = os.stat(path)  # noqa: PTH116 - a path object costs more than the look
    key = about.st_dev, about.st_ino
    with _lock:
        found, _ = _kept.pop(key, (None, 0.0))
    if found is None or len(found) != about.st_size:
        # Opened anew: a mapping keeps the lock of the descriptor that it is made from.
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = mmap.mmap(fd, about.st_size, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
        finally:
            os.close(fd)
    try:
        yield found
    finally:
        with _lock:
            _kept[key] = found, time.monotonic()
            while sum(len(mapped) for mapped, _ in _kept.values()) > _MOST:
                _close_oldest()


def close_idle(seconds: float) -> None:
    """Close the windows that have not been used for some time."""
    before = time.monotonic() - seconds
    with _lock:
        while _kept and next(iter(_kept.values()))[1] <= before:
            _close_oldest()


def _close_oldest() -> None:
    _, (oldest, _) = _kept.popitem(last=False)
    # Where something that failed still looks at it, it goes with that.
    with contextlib.suppress(BufferError):
        oldest.close()


def _in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have had it
    _lock = threading.Lock()
    _kept.clear()


os.register_at_fork(after_in_child=_in_child)
