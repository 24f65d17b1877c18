"""The journal: what was added is what a supervisor finds, cut at whatever store the worker died."""

import tempfile
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from callboard.worker._replies import Replies
from callboard_broker.journal import SIZE, Journal, journal_path, read_journal

commands = st.lists(st.binary(min_size=1, max_size=300), max_size=20)


@given(first=commands, second=commands)
def test_what_is_added_after_clearing_is_what_is_found(first: list[bytes], second: list[bytes]) -> None:
    """Records of before are gone, whole ones of now are there, in order."""
    page = Path(tempfile.gettempdir()) / "journal-of-a-test"
    journal = Journal.create(page)
    try:
        for command in first:
            assert journal.add(command)
        journal.clear()
        assert read_journal(page) == []
        for command in second:
            assert journal.add(command)
        assert read_journal(page) == second
    finally:
        journal.close()
        journal_path(page).unlink()


def test_a_full_journal_says_so(tmp_path: Path) -> None:
    """What does not fit is not half there."""
    journal = Journal.create(tmp_path / "page")
    assert journal.add(b"x" * 100)
    assert not journal.add(b"y" * SIZE)
    journal.close()
    assert read_journal(tmp_path / "page") == [b"x" * 100]


def test_a_record_without_its_byte_is_not_there(tmp_path: Path) -> None:
    """A worker that dies before the last store leaves the records before."""
    page = tmp_path / "page"
    journal = Journal.create(page)
    journal.add(b"whole")
    journal.add(b"half")
    journal.close()
    content = bytearray(journal_path(page).read_bytes())
    content[1 + 4 + len(b"whole")] = 0
    journal_path(page).write_bytes(content)
    assert read_journal(page) == [b"whole"]


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    """A worker that died before it made one left nothing."""
    assert read_journal(tmp_path / "page") == []


def test_what_does_not_fit_keeps_out_what_is_behind_it(tmp_path: Path) -> None:
    """I2: what a supervisor finds are the first outcomes: settled alone, a later one would overtake those before it."""
    replies = object.__new__(Replies)
    replies._sending, replies._journaled = threading.RLock(), 0
    replies._journal = Journal.create(tmp_path / "page")
    replies._buffer = [(None, command, (b"", b"", b"")) for command in (b"first", b"x" * SIZE, b"behind")]
    finished: list[bool] = []
    replies.finish = lambda: finished.append(True)  # type: ignore[method-assign]
    replies.journal()
    replies._journal.close()
    assert (read_journal(tmp_path / "page"), finished) == ([b"first"], [True])
