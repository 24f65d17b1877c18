"""What the demo indexes, and the index: plain Python that knows nothing of actors."""

from __future__ import annotations

import hashlib
import io
import re
import sysconfig
import tokenize
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Folders of the standard library that are not it (installed packages) or that would double its size (its tests).
_LEFT_OUT: Final = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
#: Bytes after which the demo has enough to do; those of CPython 3.11 fit.
_ENOUGH: Final = 14_000_000
_WORD: Final = re.compile(r"[^\W\d_]\w+")
_WITHOUT_WORDS: Final = frozenset({
    tokenize.OP, tokenize.NUMBER, tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
})  # fmt: skip


def library() -> Path:
    """Return the folder of the standard library that this program runs on."""
    return Path(sysconfig.get_paths()["stdlib"])


def list_files() -> list[str]:
    """List the files of the corpus, relative to the library, always in the same order."""
    root = library()
    found: list[str] = []
    size = 0
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if _LEFT_OUT & set(relative.parts) or not path.is_file():
            continue
        size += path.stat().st_size
        if size > _ENOUGH:
            break
        found.append(str(relative))
    return found


def read(file: str) -> str:
    """Return the text of a file; the few that are not UTF-8 have their odd bytes replaced."""
    return (library() / file).read_text(encoding="utf-8", errors="replace")


def count_words(text: str) -> dict[str, int]:
    """Count the words of a program: in its names, its strings and its comments."""
    counts: Counter[str] = Counter()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in _WITHOUT_WORDS:
                counts.update(_WORD.findall(token.string.lower()))
    except (tokenize.TokenError, SyntaxError):
        # The library has templates that only look like programs.
        counts = Counter(_WORD.findall(text.lower()))
    return dict(counts)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is compared between two indexes: equal summaries mean equal indexes.

    Attributes:
        files: Files that are in it.
        words: Different words.
        postings: Pairs of a word and a file that has it.
        occurrences: Words, repeated ones included.
        digest: SHA-256 of all of it, in one order.
    """

    files: int
    words: int
    postings: int
    occurrences: int
    digest: str


class Index:
    """An inverted index: word -> file -> how often.

    A file counts once, however often it is added, so whoever is not sure whether an addition arrived adds again.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._words: dict[str, dict[str, int]] = {}

    @property
    def size(self) -> int:
        """Return the number of files in it."""
        return len(self._files)

    def add(self, file: str, counts: Mapping[str, int]) -> None:
        """Add a file, unless it is in."""
        if file in self._files:
            return
        self._files.add(file)
        for word, count in counts.items():
            self._words.setdefault(word, {})[file] = count

    def look_up(self, word: str) -> dict[str, int]:
        """Return the files that have a word, and how often, the most frequent first."""
        return dict(sorted(self._words.get(word, {}).items(), key=lambda item: (-item[1], item[0])))

    def summary(self) -> Summary:
        """Sum up."""
        digest = hashlib.sha256("\n".join(sorted(self._files)).encode())
        postings = occurrences = 0
        for word in sorted(self._words):
            files = sorted(self._words[word].items())
            postings += len(files)
            occurrences += sum(count for _, count in files)
            digest.update(repr((word, files)).encode())
        return Summary(len(self._files), len(self._words), postings, occurrences, digest.hexdigest())
