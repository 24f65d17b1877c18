"""What a scenario says of itself: the docstring of a small program, and the file beside it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_IMPORT: Final = re.compile(r"^import ray$", re.MULTILINE)
_FROM: Final = re.compile(r"^from ray((?:\.\w+)*) import ", re.MULTILINE)
_ANY_IMPORT: Final = re.compile(r"^[ \t]*(?:import|from)\s+ray\b.*$", re.MULTILINE)
_FIELD: Final = re.compile(r"^(Numbers|Better|Alone): *(.*)$")
_RANGE: Final = re.compile(r"([A-Z])(\d+)(?: to \1(\d+))?")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A program that runs on Ray and, but for its imports, on callboard.

    Attributes:
        path: The program.
        group: Folder that it is in.
        name: File that it is in.
        title: What is tried: the first line of its docstring.
        numbers: Behaviours that it is about.
        better: Behaviour of which callboard promises more than Ray keeps; empty if both promise the same.
        why: What that is, in a sentence.
        alone: Whether the program starts the callboard, or Ray, that it runs on.
        expected: What it prints on callboard where that is more than Ray keeps.
    """

    path: Path
    group: str
    name: str
    title: str
    numbers: tuple[str, ...]
    better: str = ""
    why: str = ""
    alone: bool = False
    expected: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return group and name."""
        return f"{self.group}/{self.name}"

    @classmethod
    def read(cls, path: Path) -> Scenario:
        """Read a scenario.

        Raises:
            ValueError: It has no docstring, imports Ray in a way that cannot be translated, has an expectation without
                a reason for it, or the other way round.
        """
        source = path.read_text(encoding="utf-8")
        text = ast.get_docstring(ast.parse(source, str(path)))
        if not text:
            raise ValueError(f"{path} has no docstring: its first line says what is tried")
        translated(source)
        fields = _fields(text)
        better, _, why = fields.get("Better", "").partition(" ")
        file = path.with_suffix(".expected")
        if bool(better) != file.exists():
            raise ValueError(f"{path} needs both or neither: a line 'Better: NUMBER why' and {file.name}")
        return cls(
            path=path,
            group=path.parent.name,
            name=path.stem,
            title=text.splitlines()[0].rstrip("."),
            numbers=tuple(numbers(fields.get("Numbers", ""))),
            better=better,
            why=why,
            alone="Alone" in fields,
            expected=tuple(file.read_text(encoding="utf-8").splitlines()) if better else (),
        )


def _fields(text: str) -> dict[str, str]:
    """Read the lines ``Field: value`` of a docstring; lines that follow belong to the value up to an empty one."""
    found: dict[str, str] = {}
    last = ""
    for line in text.splitlines()[1:]:
        if match := _FIELD.match(line):
            last = match[1]
            found[last] = match[2]
        elif last and line:
            found[last] += f" {line.strip()}"
        else:
            last = ""
    return found


def numbers(text: str) -> list[str]:
    """Find the numbers of behaviours in a text; ``H1 to H3`` means three of them."""
    return [
        f"{letter}{number}"
        for letter, first, last in _RANGE.findall(text)
        for number in range(int(first), int(last or first) + 1)
    ]


def translated(source: str) -> str:
    """Make of a program for Ray one for callboard: only lines that import Ray change, and none is added.

    Raises:
        ValueError: An import of Ray is written in another way than ``import ray`` or ``from ray... import ...``.
    """
    strange = [line for line in _ANY_IMPORT.findall(source) if not _IMPORT.match(line) and not _FROM.match(line)]
    if strange:
        raise ValueError(f"write 'import ray' or 'from ray... import ...' at the margin, not {strange[0].strip()!r}")
    return _FROM.sub(r"from callboard\1 import ", _IMPORT.sub("import callboard as ray", source))


def find(folder: Path) -> list[Path]:
    """Find the programs of a folder, in a steady order."""
    return sorted(folder.rglob("*.py"))
