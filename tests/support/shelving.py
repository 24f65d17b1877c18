"""Shared memory for tests of segments, in a directory of their own."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from callboard_broker.segments import Segments

__all__ = ["ID", "free", "segments_in"]

#: Of the callboard.
ID = "0123456789abcdef" * 2


@contextlib.contextmanager
def segments_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Segments]:
    """Make the segments of a callboard, with a shelf for ``client``."""
    monkeypatch.setenv("CALLBOARD_SHM_DIR", str(directory))
    found = Segments.of(ID)
    assert found is not None
    # The disk of a test machine may be fuller than its memory.
    found._least_left = 0
    shelf = found.shelf("client")
    assert shelf is not None
    yield found
    shelf.close()


def free(here: Segments) -> list[str]:
    """Name the free segments."""
    return sorted(os.listdir(here.root / "free"))  # noqa: PTH208 - names are enough
