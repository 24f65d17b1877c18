"""What happened: one JSON line per event, appended to files by whoever saw it.

Callers write what they ask for and what they are told, actors what they start, the nemesis what it does. Times are
those of CLOCK_MONOTONIC, so they can be compared between the processes of a host. A line is one write to a file that
was opened for appending: a process that is killed leaves whole lines, and several may share a file.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Event", "Kind", "Pen", "read"]

_SUFFIX: Final = ".jsonl"


class Kind(StrEnum):
    """What an event is.

    A caller writes `INVOKE`, then one of `OK`, `FAIL` and `UNKNOWN`; an actor `BORN` when its constructor begins, and
    `START` when a call does; whoever is about to kill itself on purpose `STRUCK`; the nemesis `FAULT`, `HEALED`, and
    `KILLED` for a caller that will not write any more.
    """

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"
    BORN = "born"
    START = "start"
    STRUCK = "struck"
    FAULT = "fault"
    HEALED = "healed"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Event:
    """One line.

    Attributes:
        at: Nanoseconds of CLOCK_MONOTONIC.
        kind: What it is.
        caller: Who calls; empty where nobody does.
        actor: Who is called; empty where nobody is.
        call: The number of the call among those of this caller to this actor, from 0.
        incarnation: Which process of the actor; a caller knows it from the result.
        told: Of an `INVOKE` its terms, of an `OK` the value, of a `FAIL` or `UNKNOWN` the error, else what is struck.
    """

    at: int
    kind: Kind
    caller: str = ""
    actor: str = ""
    call: int = -1
    incarnation: str = ""
    told: str = ""


class Pen:
    """Append events to a file of a history's directory; safe for several threads and processes."""

    def __init__(self, directory: Path, name: str) -> None:
        self._file = os.open(directory / f"{name}{_SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, kind: Kind, **about: Any) -> None:
        """Append an event that happens now."""
        line = asdict(Event(time.monotonic_ns(), kind, **about))
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read(directory: Path) -> list[Event]:
    """Return all events of a history, in the order of time.

    Raises:
        ValueError: A line is not one of ours.
    """
    events = []
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        for line in path.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            events.append(Event(**{**told, "kind": Kind(told["kind"])}))
    # Stable: events of one file at the same nanosecond stay in the order in which they were written.
    return sorted(events, key=lambda event: event.at)
