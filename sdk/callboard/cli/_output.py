"""Printing: tables for people, JSON and YAML for programs. Colours only on a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def print_data(data: Any, form: str) -> None:
    """Print data as ``json`` or ``yaml``; both escape control characters."""
    if form == "json":
        click.echo(json.dumps(data, indent=4))
    else:
        from callboard.cli._yaml import dumped  # noqa: PLC0415 - only needed here

        click.echo(dumped(data), nl=False)


def print_table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table; on a terminal long cells are folded, elsewhere each row is one line."""
    heads, cells = [column.upper() for column in columns], _cells(rows)
    if sys.stdout.isatty():
        from callboard.cli import _terminal  # noqa: PLC0415 - only needed here

        _print(_terminal.table(heads, cells))
    else:
        # For 10,000 rows of actors rich takes 15 s, and this 0.2.
        _print(_aligned([heads, *cells]))


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print titles and what belongs to them."""
    cells = _cells(pairs)
    if sys.stdout.isatty():
        from callboard.cli import _terminal  # noqa: PLC0415 - only needed here

        _print(_terminal.pairs(cells))
    else:
        _print(_aligned(cells))


def _print(lines: Iterable[str]) -> None:
    # Cells are padded to the width of their column, also the last ones.
    click.echo("".join(f"{line.rstrip()}\n" for line in lines), nl=False)


def _aligned(rows: Iterable[Iterable[str]]) -> Iterable[str]:
    return map("  ".join, zip(*map(_padded, zip(*rows, strict=True)), strict=True))


def _padded(column: Sequence[str]) -> list[str]:
    if all(map(str.isascii, column)):
        width = max(map(len, column))
        return [cell.ljust(width) for cell in column]
    from callboard.cli._terminal import cell_len  # noqa: PLC0415 - only needed here

    width = max(map(cell_len, column))
    return [cell + " " * (width - cell_len(cell)) for cell in column]


def _cells(rows: Iterable[Iterable[object]]) -> list[list[str]]:
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, str):
        shown = value
    else:
        shown = json.dumps(value) if isinstance(value, dict | list) else "" if value is None else str(value)
    if shown.isprintable():
        return shown
    # Names come from anybody who can create actors; a terminal must not obey what is in them.
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in shown)
