"""Printing: tables for people, JSON and YAML for programs. Colours only on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


# That of libyaml writes the same six times faster; not every build of PyYAML has it.
class _Readable(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # known when it runs
    """A dumper that writes texts of several lines, such as tracebacks, as such."""


def _represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _represent)


def print_data(data: Any, form: str) -> None:
    """Print data as ``json`` or ``yaml``; both escape control characters."""
    if form == "json":
        click.echo(json.dumps(data, indent=4))
    else:
        dumped = yaml.dump(data, Dumper=_Readable, indent=4, explicit_start=True, sort_keys=False, width=120)
        click.echo(dumped, nl=False)


def print_table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table; on a terminal long cells are folded, elsewhere each row is one line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.upper(), overflow="fold")
    _print(table, [[column.upper() for column in columns]], rows)


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print titles and what belongs to them."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    _print(table, [], pairs)


def _print(table: Table, head: list[list[str]], rows: Iterable[Iterable[object]]) -> None:
    """Print rows: on a terminal as the table, which is empty yet, elsewhere beneath a head."""
    cells = [[_cell(value) for value in row] for row in rows]
    # Made anew each time: what stdout is may change between two commands of one process.
    console = Console(highlight=False)
    if console.is_terminal:
        for row in cells:
            table.add_row(*map(Text, row))
        with console.capture() as captured:
            console.print(table)
        lines: Iterable[str] = captured.get().splitlines()
    else:
        # For 10,000 rows of actors rich takes 15 s, and this 0.2.
        lines = _aligned(head + cells)
    # Cells are padded to the width of their column, also the last ones.
    click.echo("".join(f"{line.rstrip()}\n" for line in lines), nl=False)


def _aligned(rows: Iterable[Iterable[str]]) -> Iterable[str]:
    return map("  ".join, zip(*map(_padded, zip(*rows, strict=True)), strict=True))


def _padded(column: Sequence[str]) -> list[str]:
    wide = len if all(map(str.isascii, column)) else cell_len
    width = max(map(wide, column))
    return [cell + " " * (width - wide(cell)) for cell in column]


def _cell(value: object) -> str:
    if isinstance(value, str):
        shown = value
    else:
        shown = json.dumps(value) if isinstance(value, dict | list) else "" if value is None else str(value)
    if shown.isprintable():
        return shown
    # Names come from anybody who can create actors; a terminal must not obey what is in them.
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in shown)
