"""Printing: tables for people, JSON and YAML for programs. Colours only on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Columns of a table that is not read on a terminal: nothing is cut or wrapped there.
_ENDLESS = 100_000


class _Readable(yaml.SafeDumper):
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


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; on a terminal long cells are folded, elsewhere each row is one line."""
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.upper(), overflow="fold", no_wrap=not console.is_terminal)
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    _print(console, table)


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print titles and what belongs to them."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    console = _console()
    table.add_column(overflow="fold", no_wrap=not console.is_terminal)
    for title, what in pairs:
        table.add_row(title, _cell(what))
    _print(console, table)


def _console() -> Console:
    # Made anew each time: what stdout is may change between two commands of one process.
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_ENDLESS)


def _print(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        # Cells are padded to the width of their column, also the last ones.
        click.echo(line.rstrip())


def _cell(value: object) -> Text:
    shown = json.dumps(value) if isinstance(value, dict | list) else "" if value is None else str(value)
    # Names come from anybody who can create actors; a terminal must not obey what is in them.
    return Text("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in shown))
