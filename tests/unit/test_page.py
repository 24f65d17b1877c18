"""The status page: what a worker writes is what a supervisor reads, also after the worker was killed."""

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.waiting import wait_until

from callboard_broker import page as page_module
from callboard_broker.page import PAGE_SIZE, USUAL_SLOTS, PageError, Phase, StatusPage, page_directory, page_path

NUMBERS = st.integers(0, 2**64 - 1)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[StatusPage, StatusPage]:
    """A page as its writer and its reader see it."""
    path = tmp_path / "page"
    return StatusPage.create(path), StatusPage.open(path)


def test_a_new_page_is_blank(pair: tuple[StatusPage, StatusPage]) -> None:
    """Nothing has started, nothing runs, nothing was said."""
    _, reader = pair
    assert reader.phase is Phase.STARTING
    assert reader.started_entries() == ((0, 0), ())
    assert (reader.beats, reader.running_since, reader.ending_since, reader.connection_id) == (0, 0, 0, 0)
    assert (reader.method, reader.note, reader.slot_count) == ("", "", USUAL_SLOTS)


@given(calls=st.lists(st.tuples(NUMBERS, NUMBERS, st.text(max_size=20)), min_size=1, max_size=9))
def test_the_last_call_counts(tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, int, str]]) -> None:
    """Watermark, method and time are those of the last call; a finished call leaves the watermark."""
    path = tmp_path_factory.mktemp("page") / "page"
    writer, reader = StatusPage.create(path), StatusPage.open(path)
    for ms, seq, method in calls:
        before = time.monotonic_ns()
        writer.call_started(b"%d-%d" % (ms, seq), time.monotonic_ns(), method.encode())
        assert before <= reader.running_since <= time.monotonic_ns()
        assert reader.started_entries().watermark == (ms, seq)
        assert reader.method == method.encode()[:63].decode(errors="ignore")
        writer.call_finished()
        assert reader.running_since == 0
        assert reader.started_entries().watermark == (ms, seq)
    writer.close()
    reader.close()


def test_many_turns_do_not_mix_records(pair: tuple[StatusPage, StatusPage]) -> None:
    """The turn wraps without showing an older call."""
    writer, reader = pair
    for number in range(1000):
        writer.call_started(b"%d-%d" % (number, number), 1, b"%d" % number)
        assert (reader.started_entries().watermark, reader.method) == ((number, number), str(number))


def test_a_call_that_is_half_written_does_not_count(pair: tuple[StatusPage, StatusPage]) -> None:
    """Killed before the last store, the writer leaves the call before."""
    writer, reader = pair
    writer.call_started(b"1-1", 1, b"first")
    turn = writer._map[page_module._TURN]
    writer.call_started(b"2-2", 1, b"second")
    writer._map[page_module._TURN] = turn
    assert (reader.started_entries().watermark, reader.method) == ((1, 1), "first")


def test_long_texts_are_cut(pair: tuple[StatusPage, StatusPage]) -> None:
    """What does not fit is cut between characters, and the fields beside it stay."""
    writer, reader = pair
    writer.call_started(b"1-2", 1, ("ü" * 40).encode())
    writer.leave_note("é" * 300)
    assert (reader.method, reader.note) == ("ü" * 31, "é" * 127)
    writer.leave_note("SystemExit: 3")
    assert reader.note == "SystemExit: 3"
    assert reader.started_entries() == ((1, 2), ())


def test_the_fields_of_a_life(pair: tuple[StatusPage, StatusPage]) -> None:
    """Phase, beats, connection and the moment of the end arrive; that moment is the first one."""
    writer, reader = pair
    writer.connected(77)
    writer.beat()
    writer.beat()
    writer.enter(Phase.READY)
    assert (reader.phase, reader.beats, reader.connection_id, reader.ending_since) == (Phase.READY, 2, 77, 0)
    writer.enter(Phase.ENDING)
    first = reader.ending_since
    writer.enter(Phase.ENDING)
    assert 0 < first == reader.ending_since <= time.monotonic_ns()


def test_a9_a_task_that_pauses(pair: tuple[StatusPage, StatusPage]) -> None:
    """Its worker says so while it waits for others."""
    ours, theirs = pair
    seen = [theirs.pausing]
    for pausing in (True, False):
        ours.pause(pausing=pausing)
        seen.append(theirs.pausing)
    assert seen == [False, True, False]


@given(commands=st.lists(st.one_of(st.tuples(NUMBERS, NUMBERS), st.integers(0, 30)), max_size=60))
def test_slots_hold_what_was_claimed(
    tmp_path_factory: pytest.TempPathFactory, commands: list[tuple[int, int] | int]
) -> None:
    """The reader sees exactly the entries that were claimed and not freed."""
    path = tmp_path_factory.mktemp("page") / "page"
    writer, reader = StatusPage.create(path), StatusPage.open(path)
    held: dict[int, tuple[int, int]] = {}
    for command in commands:
        if isinstance(command, tuple):
            held[writer.slot_claim(command, b"%d" % command[0])] = command
        elif held:
            slot = list(held)[command % len(held)]
            del held[slot]
            writer.slot_free(slot)
        assert sorted(reader.started_entries().slots) == sorted(held.values())
        assert sorted(reader.running()) == sorted(str(ms) for ms, _ in held.values())
    writer.close()
    reader.close()


def test_l1_what_runs_is_named(pair: tuple[StatusPage, StatusPage]) -> None:
    """The call of a serial actor, and those in slots; a long name is cut between characters."""
    writer, reader = pair
    assert reader.running() == []
    writer.call_started(b"1-0", 1, b"serial")
    slot = writer.slot_claim((2, 0), ("ü" * 40).encode())
    assert reader.running() == ["serial", "ü" * 19]
    writer.call_finished()
    writer.slot_free(slot)
    assert reader.running() == []


def test_a_page_grows_with_its_slots(tmp_path: Path) -> None:
    """An actor of 1,000 calls at once has a slot for each; one call more is refused."""
    path = tmp_path / "page"
    writer = StatusPage.create(path, slots=1000)
    assert path.stat().st_size % PAGE_SIZE == 0
    for number in range(writer.slot_count):
        writer.slot_claim((number, 0), b"m")
    assert 1000 <= len(StatusPage.open(path).started_entries().slots) == writer.slot_count
    with pytest.raises(IndexError):
        writer.slot_claim((1, 1), b"m")


def test_a_page_outlives_its_writer(tmp_path: Path) -> None:
    """What was written before a SIGKILL is there after it."""
    path = tmp_path / "page"
    pid = os.fork()
    if pid == 0:
        page = StatusPage.create(path)
        page.call_started(b"5-6", 1, b"fatal")
        page.slot_claim((7, 8), b"m")
        page.beat()
        signal.pause()
    wait_until(lambda: path.exists() and StatusPage.open(path).beats, what="the page of the child")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    reader = StatusPage.open(path)
    assert reader.started_entries() == ((5, 6), ((7, 8),))
    assert reader.method == "fatal"


def test_readers_cannot_write(pair: tuple[StatusPage, StatusPage]) -> None:
    """A supervisor cannot damage a page by mistake."""
    with pytest.raises(TypeError):
        pair[1].beat()


@pytest.mark.parametrize("content", [b"", b"cb-page2", b"\0" * PAGE_SIZE, b"cb-page3".ljust(PAGE_SIZE, b"\0")])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """A file of another size, kind or version is no page."""
    path = tmp_path / "page"
    path.write_bytes(content)
    with pytest.raises(PageError):
        StatusPage.open(path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A page is a file in the directory, never a way out of it."""
    StatusPage.create(tmp_path / "page")
    (tmp_path / "link").symlink_to(tmp_path / "page")
    with pytest.raises(OSError, match="Too many levels"):
        StatusPage.open(tmp_path / "link")


def test_removing_a_page_twice_is_fine(tmp_path: Path) -> None:
    """Whoever comes first removes it; those who have it open keep it."""
    path = tmp_path / "page"
    page = StatusPage.create(path)
    StatusPage.unlink(path)
    StatusPage.unlink(path)
    page.beat()
    assert page.beats == 1
    page.close()
    page.close()
    with pytest.raises(FileNotFoundError):
        StatusPage.open(path)


def test_removing_a_page_removes_what_is_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed while it makes its page leaves nothing."""
    path = tmp_path / "page"

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            StatusPage.create(path)
    assert list(tmp_path.iterdir())
    StatusPage.unlink(path)
    assert not list(tmp_path.iterdir())


def test_the_directory_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made for its user only, and a page's path lies in it."""
    monkeypatch.setenv("CALLBOARD_SHM_DIR", str(tmp_path / "pages"))
    assert page_directory() == tmp_path / "pages"
    assert page_directory().stat().st_mode & 0o777 == 0o700
    assert page_path("actor", "token") == tmp_path / "pages" / "actor.token"
    with pytest.raises(ValueError, match="no file name"):
        page_path("../actor", "token")


def test_unsafe_directories_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what others may write to, nor a link, nor what belongs to somebody else."""
    shared, link = tmp_path / "shared", tmp_path / "link"
    shared.mkdir()
    shared.chmod(0o777)
    link.symlink_to(tmp_path)
    for path in (shared, link):
        monkeypatch.setenv("CALLBOARD_SHM_DIR", str(path))
        with pytest.raises(PermissionError):
            page_directory()
    monkeypatch.setenv("CALLBOARD_SHM_DIR", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="12345"):
        page_directory()
