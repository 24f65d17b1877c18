"""Folding lines that several processes repeat, as Ray does it.

A line is shown when it comes first. While other processes write the same, it is counted, and shown again with the
count when the window closes. Lines are the same when they differ only in words with digits. What one process alone
repeats is not folded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

#: Seconds for which repetitions are counted.
WINDOW: Final = 5.0
_HINT: Final = " (callboard folds lines that several processes write; CALLBOARD_DEDUP_LOGS=0 shows them all)"
_DIGIT: Final = re.compile(r"\d")


class Line(NamedTuple):
    """A line to be shown: on which stream, behind which prefix, and what."""

    stream: str
    prefix: str
    text: str


@dataclass(slots=True)
class _Repeated:
    since: float
    sources: set[object]
    last: Line
    count: int = 0


class Folding:
    """Decide which lines are shown, and when. Times are handed in, in seconds of any monotonic clock."""

    def __init__(self) -> None:
        #: In the order in which their windows close.
        self._recent: dict[tuple[str, str], _Repeated] = {}
        self._hinted = False

    def take(self, source: object, line: Line, now: float) -> list[Line]:
        """Return the line if it is to be shown now.

        Args:
            source: Which process wrote it.
            line: What it wrote.
            now: When it came.
        """
        words = " ".join(word for word in line.text.split() if not _DIGIT.search(word))
        if not words:
            return [line]
        known = self._recent.get((line.stream, words))
        if known is None:
            self._recent[line.stream, words] = _Repeated(now, {source}, line)
            return [line]
        known.sources.add(source)
        if len(known.sources) == 1:
            return [line]
        known.count += 1
        known.last = line
        return []

    def due(self, now: float) -> list[Line]:
        """Return what is to be shown of lines whose window has closed."""
        shown: list[Line] = []
        while self._recent:
            key, first = next(iter(self._recent.items()))
            if now - first.since < WINDOW:
                break
            del self._recent[key]
            shown += self._told(first)
            if first.count > 1:
                self._recent[key] = _Repeated(now, first.sources, first.last)
        return shown

    def rest(self) -> list[Line]:
        """Return what is to be shown at the end."""
        shown = [line for repeated in self._recent.values() for line in self._told(repeated)]
        self._recent.clear()
        return shown

    def patience(self, now: float) -> float | None:
        """Return the seconds until something is due; None when nothing is waited for."""
        since = next((repeated.since for repeated in self._recent.values() if repeated.count), None)
        return None if since is None else max(0.0, since + WINDOW - now)

    def _told(self, repeated: _Repeated) -> list[Line]:
        if repeated.count < 2:  # noqa: PLR2004 - once is no repetition
            return [repeated.last] * repeated.count
        hint, self._hinted = "" if self._hinted else _HINT, True
        text = f"{repeated.last.text} [repeated {repeated.count}x across cluster]{hint}"
        return [repeated.last._replace(text=text)]
