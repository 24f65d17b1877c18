"""The gear of the tests: waiting that ends, and leaks that are found."""

import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import psutil
import pytest
from tests.support import leaks
from tests.support.waiting import wait_until


def test_wait_until_returns_what_it_saw() -> None:
    """The first true value is returned, after as many looks as it takes."""
    values = iter([None, 0, "", "seen"])
    assert wait_until(lambda: next(values), what="a word") == "seen"


def test_wait_until_gives_up_with_a_name() -> None:
    """The failure names what was waited for, how long, and what was there instead."""
    with pytest.raises(AssertionError, match=r"after 0\.05 s waiting for the moon; last seen: \[\]"):
        wait_until(list, what="the moon", timeout=0.05)


def test_nothing_is_no_leak() -> None:
    """What existed before and still exists is not reported."""
    with socket.socket():
        leaks.check(leaks.snapshot())


def test_files_sockets_threads_and_directories_are_found(tmp_path: Path) -> None:
    """Each kind of leak is reported, and none once they are gone."""
    before = leaks.snapshot()
    event = threading.Event()
    thread = threading.Thread(target=event.wait, name="left-behind")
    thread.start()
    with (
        tempfile.TemporaryDirectory(prefix="callboard-") as folder,
        socket.socket(),
        (tmp_path / "open").open("w"),
        pytest.raises(AssertionError) as caught,
    ):
        leaks.check(before, timeout=0.0)
    event.set()
    thread.join()
    for words in ("left-behind", f"directories {folder}", "socket:[", str(tmp_path / "open")):
        assert words in str(caught.value)
    leaks.check(before)


def test_processes_are_found_even_when_nobody_owns_them() -> None:
    """A child is reported, and so is a process whose parent is gone."""
    before = leaks.snapshot()
    script = "sleep 1000 >/dev/null 2>&1 & echo $!"
    orphan = psutil.Process(int(subprocess.check_output(["/bin/sh", "-c", script])))
    child = subprocess.Popen(["/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    assert os.getpid() not in {parent.pid for parent in orphan.parents()}
    try:
        with pytest.raises(AssertionError) as caught:
            leaks.check(before, timeout=0.0)
    finally:
        child.stdin.close()
        child.wait()
        orphan.kill()
    assert f"({orphan.pid}, " in str(caught.value)
    assert f"({child.pid}, " in str(caught.value)
    leaks.check(before)
