"""The command `call`: a method of an actor, called from the shell."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import click

from callboard import _api
from callboard.cli import _finding, _options
from callboard.cli._failures import Failure, NotFound
from callboard.exceptions import GetTimeoutError, RayTaskError
from callboard.util._reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@click.command(
    # Or a negative number would be taken for an option.
    context_settings={"ignore_unknown_options": True},
    epilog=_options.examples(
        "callboard call counter add 5 # the arguments are JSON: a number,",
        "callboard call shop order '\"book\"' '{\"copies\": 2}' # a text, an object",
        "callboard call shop order '\"book\"' -k copies=2 # an argument by its name",
        "callboard call shop stock --timeout 10 | jq .books # the result is JSON, too",
    ),
)
@_finding.name_argument
@click.argument("method")
@click.argument("arguments", metavar="[JSON]...", nargs=-1, type=_options.Json())
@click.option(
    "--kwargs", "-k", "named", multiple=True, type=_options.NamedJson(), help="An argument by its name; repeatable."
)
@_finding.namespace_option
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait for the result [as long as it takes].")
@_options.address
def call(
    name: str,
    method: str,
    arguments: Sequence[Any],
    named: Sequence[tuple[str, Any]],
    namespace: str | None,
    timeout: float | None,
    address: str | None,
) -> None:
    """Call a method of a named actor and print its result as JSON.

    It is a call like that of any program: it needs the cluster key, and it waits behind earlier calls. A call that
    nobody waits for any longer still runs. Exit code 1 says that the method raised or that its actor died, 3 that
    nobody has that name.
    """
    with reading(address) as reader:
        record = _finding.find(reader, name, namespace)
    if name != record.name:
        raise click.UsageError(f"{name!r} is the id of an actor; `callboard call` takes the name of one")
    with _joined(reader.address, record.namespace):
        result = _call(name, method, arguments, dict(named), timeout)
    try:
        shown = json.dumps(result, indent=4, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Failure(
            f"{method} returned a {type(result).__qualname__} that JSON cannot hold: {error}. The call has run; have "
            "the method return plain data, or call it from a program"
        ) from error
    click.echo(shown)


@contextlib.contextmanager
def _joined(address: str, namespace: str) -> Iterator[None]:
    _api.init(address, namespace=namespace, log_to_driver=False)
    try:
        yield
    finally:
        _api.shutdown()


def _call(name: str, method: str, arguments: Sequence[Any], named: dict[str, Any], timeout: float | None) -> Any:
    try:
        handle = _api.get_actor(name)
    except ValueError as error:
        raise NotFound(str(error)) from error
    try:
        ref = getattr(handle, method).remote(*arguments, **named)
    except (AttributeError, TypeError) as error:
        raise click.UsageError(f"{name} cannot be called so: {error}") from error
    try:
        return _api.get(ref, timeout=timeout)
    except RayTaskError as error:
        raise Failure(str(error)) from error
    except GetTimeoutError as error:
        raise Failure(f"{method} has no result after {timeout:g} s; the call is not taken back") from error
