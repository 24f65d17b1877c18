"""What scenarios share: waiting for conditions, outcomes in words, and notes that outlive who wrote them."""

import os
import tempfile
import time
from pathlib import Path

__all__ = ["Notes", "alive", "eventually", "outcome", "outcomes", "until"]

#: Seconds that a condition may take: much longer than it does, even on a busy machine.
PATIENCE = 20.0
_INTERVAL = 0.02


def eventually(condition, seconds=PATIENCE):
    """Look until the condition holds or the time is over; return what it was last."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(_INTERVAL)  # noqa: TID251 - between two looks
    return value


def until(condition, seconds=PATIENCE):
    """Look until the condition holds, and return what it was then; a scenario that waits in vain fails."""
    value = eventually(condition, seconds)
    assert value, "the condition did not become true in time"
    return value


def outcome(function, *args, **kwargs):
    """Call a function; return its value, or the name of the class of what it raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__


def outcomes(function, things):
    """Return one outcome for each thing."""
    return [outcome(function, thing) for thing in things]


def alive(pid):
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Notes:
    """Lines in a file, which any process may add: what an actor did is known although it is gone."""

    def __init__(self):
        handle, self.path = tempfile.mkstemp(prefix="notes-")
        os.close(handle)

    def add(self, line):
        """Add a line at once."""
        with open(self.path, "a") as file:
            file.write(f"{line}\n")

    def read(self):
        """Return all lines."""
        return Path(self.path).read_text().splitlines()

    def count(self, line):
        """Count lines that are the same as this one."""
        return self.read().count(line)

    def wait(self, *lines):
        """Wait until all these lines are there."""
        until(lambda: set(lines) <= set(self.read()))
