"""What rich does for tables. Imported where it is needed only: that takes as long as most commands do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["cell_len", "pairs", "table"]


def table(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table that is as wide as the terminal at most; long cells are folded."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return _lines(made, cells)


def pairs(cells: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of titles with what belongs to them."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    return _lines(made, cells)


def _lines(made: Table, cells: Iterable[Sequence[str]]) -> list[str]:
    for row in cells:
        made.add_row(*map(Text, row))
    # Made anew each time: what stdout is may change between two commands of one process.
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(made)
    return captured.get().splitlines()
