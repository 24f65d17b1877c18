"""Find what a test leaves behind: processes, threads, open files and sockets, and directories.

Processes are looked for among the descendants of this process and among those that carry its mark in their
environment, as a daemon that was re-parented still does, or name one of its directories. Others who run tests on the
same machine have marks and directories of their own; `check` waits for what is on its way out.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import psutil
from tests.support.waiting import wait_until

from callboard_broker.page import page_directory

__all__ = ["MARK", "Snapshot", "below", "check", "snapshot"]

#: The variable that all processes started from this one inherit.
MARK = "CALLBOARD_TEST_RUN"
_PREFIX = "callboard-"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold what existed at one moment, each thing under a key of its own with words that describe it."""

    processes: Mapping[tuple[int, float], str]
    threads: Mapping[int, str]
    files: Mapping[int, str]
    sockets: Mapping[int, str]
    directories: Mapping[str, str]


def snapshot() -> Snapshot:
    """Record what exists now."""
    descriptors = _descriptors()
    return Snapshot(
        processes=_processes(),
        threads={thread.ident: thread.name for thread in threading.enumerate() if thread.ident},
        files={number: target for number, target in descriptors.items() if not _is_socket(target)},
        sockets={number: target for number, target in descriptors.items() if _is_socket(target)},
        directories={path: path for path in [*map(str, _directories()), *below(page_directory())]},
    )


def check(before: Snapshot, *, timeout: float = 5.0) -> None:
    """Wait until nothing exists that did not exist before.

    Args:
        before: what existed when the test began.
        timeout: seconds that things on their way out may take.

    Raises:
        AssertionError: something is left; the text lists all of it.
    """
    last: list[str] = []

    def nothing_left() -> bool:
        last[:] = _difference(before, snapshot())
        return not last

    try:
        wait_until(nothing_left, what="leaks to end", timeout=timeout)
    except AssertionError:
        listed = "\n".join(f"  {leak}" for leak in last)
        raise AssertionError(f"{len(last)} leaks:\n{listed}") from None


def _difference(before: Snapshot, after: Snapshot) -> list[str]:
    found: list[str] = []
    for kind in fields(Snapshot):
        old, new = getattr(before, kind.name), getattr(after, kind.name)
        found += [f"{kind.name} {key}: {words}" for key, words in new.items() if key not in old]
    return found


def _is_socket(target: str) -> bool:
    return target.startswith("socket:")


def _descriptors() -> dict[int, str]:
    found = {}
    for link in list(Path("/proc/self/fd").iterdir()):
        # The listing's own descriptor is closed by now.
        with contextlib.suppress(OSError):
            found[int(link.name)] = str(link.readlink())
    return found


def _directories() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"))


def below(directory: Path) -> list[str]:
    """List all that is in a directory, however deep; what vanishes meanwhile may be missing."""
    return sorted(f"{at}/{name}" for at, folders, files in os.walk(directory) for name in (*folders, *files))


def _processes() -> dict[tuple[int, float], str]:
    """Find our processes by pid and start time, because pids are used again."""
    me = psutil.Process()
    descendants = {child.pid for child in me.children(recursive=True)}
    found = {}
    for process in psutil.process_iter():
        if process.pid == me.pid:
            continue
        # Processes end while they are looked at; those of other users cannot be.
        with contextlib.suppress(psutil.Error):
            if process.pid in descendants or _is_ours(process):
                found[process.pid, process.create_time()] = f"{process.status()} {process.cmdline()}"
    return found


def _is_ours(process: psutil.Process) -> bool:
    ours = str(Path(tempfile.gettempdir()) / _PREFIX)
    return any(ours in word for word in process.cmdline()) or (process.environ().get(MARK) == os.environ[MARK])
