"""Segments that are mapped for reading, by this process."""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
from typing import Protocol


class Keeper(Protocol):
    """Who frees a segment that this process has mapped.

    Attributes:
        forked: Whether a forked process may have it mapped, too.
    """

    forked: bool


class Mapping(mmap.mmap):
    """A segment that is mapped for reading; locked, and its keeper kept, until the last view into it is gone."""

    #: What must not go before it, and is told when this process forks.
    keeper: Keeper | None = None

    def __del__(self) -> None:
        # Before the keeper goes, which may free the segment. With views that are collected together with it, it stays
        # locked as long as they do; then the segment is not used again.
        with contextlib.suppress(BufferError):
            self.close()


#: Those that there are.
mapped: weakref.WeakSet[Mapping] = weakref.WeakSet()


def _before_fork() -> None:
    # Both processes have the same lock from now on, so it does not tell when one of them reads on.
    for one in list(mapped):
        if one.keeper is not None:
            one.keeper.forked = True


os.register_at_fork(before=_before_fork)
