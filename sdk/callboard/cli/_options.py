"""Options that several commands have, and types of values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.util._filters import Filter

Command = TypeVar("Command", bound="Callable[..., Any]")

FORMATS: Final = ("table", "json", "yaml")


class Resources(click.ParamType):  # type: ignore[type-arg] # generic only in the latest click
    """Resources by name, as JSON."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text and return it."""
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}; write '{{\"gpu\": 2}}'", param, ctx)
        if not isinstance(found, dict) or not all(_is_amount(amount) for amount in found.values()):
            self.fail(f"{value!r} does not give amounts by name; write '{{\"gpu\": 2}}'", param, ctx)
        return json.dumps(found)


class Json(click.ParamType):  # type: ignore[type-arg] # generic only in the latest click
    """A value, as JSON."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the value."""
        try:
            return json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}; a text is written '\"text\"', with both quotes", param, ctx)


class NamedJson(click.ParamType):  # type: ignore[type-arg] # generic only in the latest click
    """A value with a name: ``name=JSON``."""

    name = "NAME=JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Read name and value."""
        named, equals, given = value.partition("=")
        if not equals or not named:
            self.fail(f"{value!r} gives no value to a name; write name=JSON, such as copies=2", param, ctx)
        return named, Json().convert(given, param, ctx)


class FilterType(click.ParamType):  # type: ignore[type-arg] # generic only in the latest click
    """A filter: ``column=value`` or ``column!=value``."""

    name = "K=V|K!=V"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Filter:
        """Take the text apart."""
        if isinstance(value, tuple):
            return value
        column, equals, wanted = value.partition("=")
        if not equals or not column.removesuffix("!"):
            self.fail(f"{value!r} is no filter; write column=value or column!=value, such as state=ALIVE", param, ctx)
        return column.removesuffix("!"), "!=" if column.endswith("!") else "=", wanted


def address(command: Command) -> Command:
    """Add the option that says which callboard is meant."""
    return click.option(
        "--address",
        "-a",
        envvar="CALLBOARD_ADDRESS",
        show_envvar=True,
        metavar="URL",
        help="redis://, rediss://, unix:// or redis+sentinel:// URL. "
        "Without it, or as 'auto': the callboard of `callboard up`.",
    )(command)


def output(default: str) -> Callable[[Command], Command]:
    """Add the option that says in which form something is printed."""
    return click.option(
        "--format", "-o", "form", type=click.Choice(FORMATS), help=f"Form of what is printed [default: {default}]."
    )


def supervising(command: Command) -> Command:
    """Add the options that a supervisor is started with."""
    positive = click.FloatRange(min=0, min_open=True)
    for option in (
        click.option("--preload", metavar="MODULES", help="What to import once for all actors, separated by commas."),
        click.option(
            "--log-age", type=positive, metavar="SECONDS", help="How long output of the gone is kept [86400]."
        ),
        click.option("--heartbeat-timeout", type=positive, metavar="SECONDS", help="Silence that means death [15]."),
        click.option("--graceful-timeout", type=positive, metavar="SECONDS", help="What an actor's end may take [30]."),
        click.option("--resources", type=Resources(), help="What else this node has, such as '{\"gpu\": 2}'."),
        click.option("--num-cpus", type=click.FloatRange(min=0), help="CPUs that it may promise [those there are]."),
    ):
        command = option(command)
    return command


def as_arguments(options: dict[str, Any]) -> list[str]:
    """Make a supervisor's arguments of the options that were given."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if value is not None]


def examples(*lines: str) -> str:
    """Make the end of a help text from examples: a command and what it does, separated by ``#``."""
    pairs = [line.partition("#") for line in lines]
    width = max(len(command.strip()) for command, _, _ in pairs)
    shown = [
        f"  {command.strip():{width}}  {f'# {what.strip()}' if what else ''}".rstrip() for command, _, what in pairs
    ]
    return "\b\nExamples:\n" + "\n".join(shown)


def _is_amount(amount: object) -> bool:
    return isinstance(amount, int | float) and not isinstance(amount, bool) and amount >= 0
