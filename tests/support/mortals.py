"""Actors that die in every way, and what tests need to see of it. Imported by workers: nothing heavy here."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import callboard

#: Seconds that something takes which is never waited for to its end.
LONG = 60.0


class Notes:
    """A file to which processes add lines, so that they can be read when the processes are gone."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def add(self, line: str) -> None:
        """Add a line; several processes may do so at once."""
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def lines(self) -> list[str]:
        """Return the lines so far."""
        return self.path.read_text().splitlines() if self.path.exists() else []

    @property
    def pid(self) -> int:
        """The process that was last constructed."""
        return int(self._pid.read_text())

    def introduce(self) -> None:
        """Note the pid of this process."""
        draft = self._pid.with_suffix(f".{os.getpid()}")
        draft.write_text(str(os.getpid()))
        draft.rename(self._pid)

    @property
    def _pid(self) -> Path:
        return self.path.with_name(f"{self.path.name}.pid")

    def count(self, line: str) -> int:
        """Count how often a line was added."""
        return self.lines().count(line)


def pause(seconds: float) -> None:
    """Let a time pass."""
    threading.Event().wait(seconds)


def pass_gate(gate: str) -> None:
    """Wait until a file exists."""
    while not Path(gate).exists():
        pause(0.002)


def crash() -> None:
    """Die as of a segmentation fault, without a trace."""
    os.kill(os.getpid(), signal.SIGKILL)


def distorting(act: Callable[[], object]) -> None:
    """Do something, and make an error of whatever interrupts it."""
    try:
        act()
    finally:
        raise RuntimeError("release unlocked lock")


class Mortal:
    """Note what happens to it, and die as it is told.

    Args:
        notes: Where to note it.
        first: What each incarnation's constructor does, in order, by the names of `WAYS`; the last one's repeats.
    """

    def __init__(self, notes: str, first: tuple[str, ...] = ("live",)) -> None:
        self._notes = Notes(notes)
        lives = self._notes.count("init")
        self._notes.introduce()
        self._notes.add("init")
        atexit.register(self._notes.add, "atexit")
        WAYS[first[min(lives, len(first) - 1)]]()

    def __ray_shutdown__(self) -> None:
        self._notes.add("hook on the main thread" if _on_main_thread() else "hook on another thread")

    def pid(self) -> int:
        """Return the process."""
        return os.getpid()

    def note(self, line: str) -> str:
        """Note a line and return it."""
        self._notes.add(line)
        return line

    def long(self, line: str = "long") -> str:
        """Note a line and go on for a long time."""
        self._notes.add(line)
        pause(LONG)
        return line

    def behind(self, gate: str, line: str = "behind") -> str:
        """Note a line, wait for a gate, and return the line."""
        self._notes.add(line)
        pass_gate(gate)
        return line

    def die(self, line: str = "die", way: str = "SIGKILL", times: int = 1) -> str:
        """Note a line and die, unless that has been done often enough; then return the line."""
        self._notes.add(line)
        if self._notes.count(line) <= times:
            WAYS[way]()
        return line

    def exit_swallowed(self) -> str:
        """Leave, and swallow what that raises."""
        with contextlib.suppress(BaseException):
            callboard.actor.exit_actor()
        return "swallowed"

    def exit_in_thread(self, gate: str) -> str:
        """Leave in a thread while this method still runs."""

        def leave() -> None:
            try:
                callboard.actor.exit_actor()
            finally:
                self._notes.add("left")
                Path(gate).touch()

        thread = threading.Thread(target=leave)
        thread.start()
        pass_gate(gate)
        thread.join()
        return "still here"

    def exit_later(self, gate: str) -> str:
        """Leave in a thread when a gate opens, when no method runs."""

        def leave() -> None:
            pass_gate(gate)
            callboard.actor.exit_actor()

        threading.Thread(target=leave, daemon=True).start()
        return "soon"

    def stubborn(self) -> str:
        """Note that it began, and swallow whatever ends it."""
        self._notes.add("stubborn")
        with contextlib.suppress(BaseException):
            pause(LONG)
        return "stubborn"

    def distort(self) -> None:
        """Note that it began, and make an error of whatever ends it, as Python's own locks may."""
        self._notes.add("distort")
        distorting(lambda: pause(LONG))

    def child(self) -> int:
        """Start a child process and return its pid."""
        return subprocess.Popen(["sleep", "1000"]).pid

    def raises(self, error: BaseException) -> None:
        """Raise an error."""
        raise error

    def kill_other(self, handle: Any) -> None:
        """Kill another actor."""
        callboard.kill(handle)

    def reconstructed(self) -> bool:
        """Tell whether this is a restarted incarnation."""
        return callboard.get_runtime_context().was_current_actor_reconstructed


class Hooked:
    """Do in ``__ray_shutdown__`` what it was made for.

    Args:
        notes: Where to note it.
        hook: Called with the notes.
    """

    def __init__(self, notes: str, hook: Callable[[Notes], object]) -> None:
        self._notes = Notes(notes)
        self._hook = hook
        atexit.register(self._notes.add, "atexit")

    def __ray_shutdown__(self) -> None:
        self._notes.add("hook")
        self._hook(self._notes)
        self._notes.add("hook done")

    def pid(self) -> int:
        """Return the process."""
        return os.getpid()

    def child(self) -> int:
        """Start a child process and return its pid."""
        return subprocess.Popen(["sleep", "1000"]).pid

    def leave(self, code: int) -> None:
        """Call `sys.exit`."""
        sys.exit(code)


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _terminate_oneself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    pause(LONG)


def _raise_in_constructor() -> None:
    raise LookupError("the constructor fails on purpose")


#: Ways to go on or not.
WAYS: dict[str, Callable[[], object]] = {
    "live": lambda: None,
    "raise": _raise_in_constructor,
    "exit_actor": callboard.actor.exit_actor,
    "sys.exit(0)": lambda: sys.exit(0),
    "sys.exit()": sys.exit,
    "sys.exit(3)": lambda: sys.exit(3),
    "sys.exit(words)": lambda: sys.exit("some last words"),
    "os._exit(0)": lambda: os._exit(0),
    "os._exit(7)": lambda: os._exit(7),
    "abort": os.abort,
    "SIGSEGV": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "SIGKILL": crash,
    "SIGTERM": _terminate_oneself,
    "wait": lambda: pause(LONG),
    "distorted SIGTERM": lambda: distorting(_terminate_oneself),
}
