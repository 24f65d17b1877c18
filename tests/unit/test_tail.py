"""Reading the end of a file to which somebody writes."""

from pathlib import Path

import pytest

from callboard_supervisor import tail as tail_module
from callboard_supervisor.tail import LONGEST_LINE, Tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "C-1.out"


def add(path: Path, text: str | bytes) -> None:
    """Write more."""
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def test_l5_only_what_is_written_from_now_on(path: Path) -> None:
    """L5: a file that is there is read from its present end, one that is not from its beginning."""
    early = Tail(path)
    assert early.read(ended=False) == []
    add(path, "before\n")
    late = Tail(path)
    assert (early.waiting, late.waiting) == (True, False)
    add(path, "after\n\n")
    assert early.read(ended=False) == ["before", "after", ""]
    assert late.read(ended=False) == ["after", ""]
    assert (early.waiting, early.behind, early.read(ended=True)) == (False, False, [])


def test_l5_lines_are_whole(path: Path) -> None:
    """L5: half a line waits for its other half, until nobody will write it."""
    tail = Tail(path)
    add(path, "one\ntw")
    assert tail.read(ended=False) == ["one"]
    add(path, "o\r\nthr\xe9".encode("latin-1"))
    assert tail.read(ended=False) == ["two"]
    assert tail.read(ended=True) == ["thr�"]


def test_l5_long_lines_are_cut(path: Path) -> None:
    """L5: at 8 KB, and it is said how much is missing."""
    tail = Tail(path)
    add(path, "x" * (LONGEST_LINE + 1234) + "\nshort\n")
    cut, short = tail.read(ended=False)
    assert cut == "x" * LONGEST_LINE + " ... [1,234 more bytes]"
    assert short == "short"


def test_l5_much_is_read_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L5: each part ends with a line; a line longer than a part is shown in pieces."""
    monkeypatch.setattr(tail_module, "CHUNK", 10)
    tail = Tail(path)
    add(path, "12345\n12345\n" + "y" * 15 + "\nz\n")
    assert (tail.read(ended=False), tail.behind) == (["12345"], True)
    assert (tail.read(ended=False), tail.behind) == (["12345"], True)
    assert (tail.read(ended=False), tail.behind) == (["y" * 10], True)
    assert (tail.read(ended=False), tail.behind) == (["y" * 5, "z"], False)


def test_l5_too_much_is_skipped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L5: and it is said how much, and where it is."""
    monkeypatch.setattr(tail_module, "CHUNK", 4)
    monkeypatch.setattr(tail_module, "MOST_BEHIND", 8)
    tail = Tail(path)
    add(path, "a\n" * 1000 + "b\nc\n")
    assert tail.read(ended=False) == [f"... 2,000 bytes were too much to be shown; they are in {path}", "b", "c"]


def test_l5_files_that_are_cut_or_removed(path: Path) -> None:
    """L5: somebody who tidies up by hand stops nothing."""
    tail = Tail(path)
    add(path, "one\n")
    assert tail.read(ended=False) == ["one"]
    path.write_text("")
    assert (tail.waiting, tail.read(ended=False)) == (False, [])
    add(path, "two\n")
    assert tail.read(ended=False) == ["two"]
    path.unlink()
    assert (tail.waiting, tail.read(ended=True)) == (False, [])
