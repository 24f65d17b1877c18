"""Segments: claimed by one, used again, never while somebody reads them, never where others may enter."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.shelving import ID, free, segments_in

from callboard_broker import segments as module
from callboard_broker import windows
from callboard_broker.mappings import Mapping
from callboard_broker.segments import SegmentGoneError, Segments
from callboard_broker.shelves import Shelf

LARGE = 200_000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Segments]:
    """Give the test the segments of a callboard, with a shelf for ``client``."""
    with segments_in(tmp_path / "pages", monkeypatch) as found:
        yield found


def inode(here: Segments, name: str) -> int:
    """Tell which segment a value lies in."""
    return (here.root / "client" / name).stat().st_ino


@given(st.lists(st.binary(max_size=300_000), min_size=1, max_size=2000))
def test_parts_are_written_in_order(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    """However many there are, however long, also into a segment that was longer before."""
    root = tmp_path_factory.mktemp("root")
    here = Segments(root)
    here._least_left = 0
    shelf = Shelf(root, "client")
    whole = b"".join(parts)
    for name in ("1.a", "2.a"):
        assert here.write("client", name, parts)
        if whole:
            assert bytes(here.read("client", name, len(whole))) == whole
        here.free("client", name)
    shelf.close()
    assert not root.exists()


def test_a_large_segment_is_mapped_to_be_written(here: Segments) -> None:
    """The second time, when its memory is there, with the same result."""
    for number in range(3):
        parts = [os.urandom(3 << 20), os.urandom(5), os.urandom(2 << 20)]
        assert here.write("client", f"{number}.a", parts)
        assert bytes(here.read("client", f"{number}.a", 5 << 20)) == b"".join(parts)[: 5 << 20]
        here.free("client", f"{number}.a")
    assert len(free(here)) == 1


def test_a_freed_segment_is_used_again(here: Segments) -> None:
    """For a value of about its size, under another name; the old name is gone."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    first = inode(here, "1.a")
    here.free("client", "1.a")
    assert len(free(here)) == 1
    with pytest.raises(SegmentGoneError, match="no segment"):
        here.read("client", "1.a", LARGE)
    assert here.write("client", "2.a", [b"2" * (LARGE + 100)])
    assert inode(here, "2.a") == first
    assert free(here) == []
    here.free("client", "2.a")
    assert here.write("client", "3.a", [b"3" * 50 * LARGE])
    assert here.write("client", "4.a", [b"4"])
    assert first == inode(here, "4.a")


def test_a_name_is_taken_once(here: Segments) -> None:
    """Who writes a second value under it is told that it cannot be; the first stays."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    assert here.write("client", "2.a", [b"2" * LARGE])
    here.free("client", "2.a")
    assert not here.write("client", "1.a", [b"3" * LARGE])
    assert bytes(here.read("client", "1.a", LARGE)) == b"1" * LARGE
    assert len(free(here)) == 1


def test_a_much_larger_segment_is_not_wasted(here: Segments) -> None:
    """A value that needs a small part of it gets one of its own."""
    assert here.write("client", "1.a", [b"1" * 50 * LARGE])
    here.free("client", "1.a")
    assert here.write("client", "2.a", [b"2" * LARGE])
    assert len(free(here)) == 1


def test_what_is_read_is_not_used_again(here: Segments) -> None:
    """It is left to its readers: their view stays what it was, and the memory goes with it."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    view = memoryview(here.read("client", "1.a", LARGE))[10:20]
    assert view.readonly
    here.free("client", "1.a")
    assert free(here) == []
    assert here.write("client", "2.a", [b"2" * LARGE])
    assert bytes(view) == b"1" * 10
    del view
    here.free("client", "2.a")
    assert len(free(here)) == 1


def test_a_reader_that_comes_late_finds_it_gone(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it had opened the file before it was freed and given to somebody else."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    real = os.open

    def late(path: str, flags: int, mode: int = 0o777) -> int:
        fd = real(path, flags, mode)
        if path.endswith("1.a"):
            os.open = real
            here.free("client", "1.a")
            assert here.write("client", "2.a", [b"2" * LARGE])
        return fd

    monkeypatch.setattr(os, "open", late)
    with pytest.raises(SegmentGoneError, match="freed"):
        here.read("client", "1.a", LARGE)


def test_what_was_copied_is_used_again(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a process keeps a segment mapped, for the next copy, is no reason to leave it to that process."""
    monkeypatch.setattr(module, "_WINDOW", LARGE)
    found = set()
    for number in range(20):
        value = os.urandom(2 * LARGE)
        assert here.write("client", f"{number}.a", [value])
        with here.look("client", f"{number}.a", len(value)) as shown:
            assert shown == value
        found.add(inode(here, f"{number}.a"))
        here.free("client", f"{number}.a")
    assert len(found) == 1
    windows.close_idle(60)
    assert windows._kept
    windows.close_idle(0.0)
    assert not windows._kept


def test_windows_are_few(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep memory; the oldest goes first."""
    windows.close_idle(0.0)
    monkeypatch.setattr(module, "_WINDOW", LARGE)
    monkeypatch.setattr(windows, "_MOST", 700_000)
    for number in range(4):
        assert here.write("client", f"{number}.a", [bytes([number]) * LARGE])
        with here.look("client", f"{number}.a", LARGE) as shown:
            assert shown[0] == number
    assert len(windows._kept) == 2
    with here.look("client", "0.a", LARGE) as shown:
        assert shown[0] == 0
    windows.close_idle(0.0)


def test_who_freed_it_before_may_be_slow_to_let_go(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader waits for the lock of one who freed the segment that has another value by now, but not for ever."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    with (here.root / "client" / "1.a").open("rb") as slow:
        fcntl.flock(slow, fcntl.LOCK_EX)
        looked: list[float] = []

        def wait(_: object, seconds: float) -> None:
            looked.append(seconds)
            if len(looked) == 3:
                fcntl.flock(slow, fcntl.LOCK_UN)

        with monkeypatch.context() as patched:
            patched.setattr(threading.Event, "wait", wait)
            assert bytes(here.read("client", "1.a", 3)) == b"111"
        assert len(looked) == 3
        fcntl.flock(slow, fcntl.LOCK_EX)
        monkeypatch.setattr(module, "_PATIENCE", 0.01)
        with pytest.raises(SegmentGoneError, match="freed"):
            here.read("client", "1.a", LARGE)


def test_one_wins_a_free_segment(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds that another was faster takes the next, or makes one."""
    for name in ("1.a", "2.a"):
        assert here.write("client", name, [b"1" * LARGE])
    for name in ("1.a", "2.a"):
        here.free("client", name)
    real = os.rename
    taken: list[str] = []

    def slower(source: str, target: str) -> None:
        if not taken:
            taken.append(source)
            os.unlink(source)  # noqa: PTH108 - as another does it
        real(source, target)

    monkeypatch.setattr(os, "rename", slower)
    assert here.write("client", "3.a", [b"3" * LARGE])
    assert taken
    assert free(here) == []


def test_nothing_is_written_where_there_is_no_shelf(here: Segments) -> None:
    """Neither a new segment nor a used one goes to somebody who is not here."""
    assert not here.near("other")
    assert not here.write("other", "1.a", [b"1" * LARGE])
    assert here.write("client", "1.a", [b"1" * LARGE])
    here.free("client", "1.a")
    assert not here.write("other", "1.a", [b"1" * LARGE])
    assert len(free(here)) == 1
    with pytest.raises(SegmentGoneError):
        here.read("other", "1.a", LARGE)
    here.free("other", "1.a")


def test_others_keep_half_of_the_memory(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is taken, or the file system is full after all, nothing is written and nothing is left."""
    monkeypatch.setattr(here, "_least_left", 1 << 62)
    assert not here.write("client", "1.a", [b"1" * LARGE])
    monkeypatch.setattr(here, "_least_left", 0)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    assert not here.write("client", "1.a", [b"1" * LARGE])
    assert os.listdir(here.root / "client") == []  # noqa: PTH208 - names are enough


def test_the_free_ones_are_bounded(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, and in the time for which they are kept."""
    monkeypatch.setattr(here, "_pool", 3 * LARGE)
    for number in range(5):
        assert here.write("client", f"{number}.a", [b"1" * LARGE])
    for number in range(5):
        here.free("client", f"{number}.a")
    assert len(free(here)) == 2
    here.trim(60)
    assert len(free(here)) == 2
    began = time.time()
    while time.time() <= began:
        pass
    here.trim(0)
    assert free(here) == []


def test_a_directory_of_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody else may enter, or which is none, there are no segments."""
    monkeypatch.setenv("CALLBOARD_SHM_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    (tmp_path / ID).mkdir()
    (tmp_path / ID).chmod(0o755)
    assert Segments.of(ID) is None
    (tmp_path / ID).rmdir()
    (tmp_path / ID).symlink_to(tmp_path)
    assert Segments.of(ID) is None
    (tmp_path / ID).unlink()
    tmp_path.chmod(0o777)
    assert Segments.of(ID) is None
    tmp_path.chmod(0o700)
    monkeypatch.setenv("CALLBOARD_SHM_DIR", "/proc/nowhere")
    assert Segments.of(ID) is None


def test_a_shelf_is_locked_while_its_owner_lives(here: Segments) -> None:
    """The sweep is shown only those of the dead; those that it empties go."""
    program = "import sys; from pathlib import Path; from callboard_broker.shelves import *\n"
    program += "shelf = Shelf(Path(sys.argv[1]), 'mortal'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(here.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert here.near("mortal")
        assert here.write("mortal", "1.a", [b"1" * LARGE])
        assert list(here.unlocked()) == []
        process.kill()
        process.wait()
    assert [(owner, names) for owner, names in here.unlocked()] == [("mortal", ["1.a"])]
    for owner, names in here.unlocked():
        here.free(owner, names[0])
    assert not here.near("mortal")
    assert len(free(here)) == 1


def test_the_last_to_leave_clears_the_directory(tmp_path: Path) -> None:
    """Not before; and who comes while it goes makes it anew."""
    root = tmp_path / "root"
    first = Shelf(root, "first")
    here = Segments(root)
    here._least_left = 0
    second = Shelf(root, "second")
    assert here.write("first", "1.a", [b"1" * LARGE])
    here.free("first", "1.a")
    first.close()
    first.close()
    assert len(free(here)) == 1
    second.close()
    assert not root.exists()
    again = Shelf(root, "first")
    assert root.exists()
    again.close()


def test_beyond_a_number_values_are_copied(here: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mapping is an open file, and a process may have so many only."""
    monkeypatch.setattr(module, "_MAPPED", 2)
    for number in range(3):
        assert here.write("client", f"{number}.a", [b"%d" % number * LARGE])
    found = [here.read("client", f"{number}.a", LARGE) for number in range(3)]
    assert [isinstance(one, Mapping) for one in found] == [True, True, False]
    assert [bytes(one[:2]) for one in found] == [b"00", b"11", b"22"]
