"""The page of the documentation, whose tables and plots are written anew after a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import plots, report
from bench.catalogue import HERE

if TYPE_CHECKING:
    from bench.results import Results

_DOCS: Final = HERE.parent / "docs"


def write(name: str, results: Results) -> None:
    """Write a suite's tables between its two marks, and draw its plots."""
    path = _DOCS / "performance.md"
    path.write_text(between(path.read_text(encoding="utf-8"), name, report.page(name, results)), encoding="utf-8")
    plots.draw(name, results, _DOCS / "images")


def between(page: str, name: str, text: str) -> str:
    """Put a text between the marks of a suite.

    Raises:
        ValueError: The page has not both marks.
    """
    begin, end = f"<!-- {name}: written by make bench -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page needs the lines {begin!r} and {end!r}, in this order")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
