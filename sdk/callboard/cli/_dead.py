"""The commands `dead ...`: calls that were set aside because they took their actors' processes down too often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from callboard import _api, _session
from callboard.cli import _options
from callboard.cli._failures import Failure, NotFound, usage
from callboard.cli._output import print_data, print_table
from callboard.util import state
from callboard.util._letters import described, letters
from callboard.util._reading import parts, reading
from callboard_broker.deaths import STATUS_OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard.util._filters import Filter
    from callboard.util._reading import Reader
    from callboard_broker.operations.letters import Letter

_ENTRY: Final = re.compile(r"\d+-\d+")


@click.group()
def dead() -> None:
    """Look at, retry or drop dead letters.

    A dead letter is a call that took its actor's process down `max_deliveries` times, an option of actors. Its caller
    got an error, and the calls behind it went on. They stay until they are retried or dropped.
    """


@dead.command(
    "list",
    epilog=_options.examples(
        "callboard dead list # the latest first",
        "callboard dead list -f method=resize # of one method",
        "callboard dead list -o json # for programs",
    ),
)
@click.option(
    "--filter", "-f", "filters", multiple=True, type=_options.FilterType(), help="Show only matching ones; repeatable."
)
@click.option("--limit", default=100, show_default=True, help="Show so many at most.")
@_options.output("table")
@_options.address
def list_(filters: Sequence[Filter], limit: int, form: str | None, address: str | None) -> None:
    """List dead letters, the latest first."""
    with usage():
        found = state.list_dead_letters(address, filters, limit)
    columns = state.DeadLetterState.columns(detail=False)
    if form in {"json", "yaml"}:
        print_data([row.asdict() for row in found], form)
    else:
        print_table(columns, [[row[column] for column in columns] for row in found])


@dead.command(
    epilog=_options.examples(
        "callboard dead show 1795352376476-0 # by the id that list shows",
        "callboard dead show 7333a16ac9a0cb010e9080c4/12 # by the call, as in its caller's error",
    )
)
@click.argument("identity", metavar="ID")
@_options.output("yaml")
@_options.address
def show(identity: str, form: str | None, address: str | None) -> None:
    """Show all that is known of a dead letter, but for its arguments, which are a pickle."""
    with reading(address) as reader:
        shown = described(*_find(reader, identity)).asdict()
    if form == "table":
        print_table(["field", "value"], list(shown.items()))
    else:
        print_data(shown, form or "yaml")


@dead.command(
    epilog=_options.examples(
        "callboard dead retry 1795352376476-0 # once what was wrong is mended",
        "callboard dead retry 1795352376476-0 --timeout 10",
    )
)
@click.argument("identity", metavar="ID")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait for its end [as long as it takes].")
@_options.address
def retry(identity: str, timeout: float | None, address: str | None) -> None:
    """Make the call once more, behind those that wait, and wait for its end.

    Nobody gets its result, as its caller got an error long ago. Handles and references among its arguments may be of
    actors and objects that are gone by now. If its process dies again, it is set aside again. It needs the cluster key.
    """
    with reading(address) as reader:
        letter_id, letter = _find(reader, identity)
    _api.init(reader.address, log_to_driver=False)
    try:
        _retry(letter_id, letter, timeout)
    finally:
        _api.shutdown()
    click.echo(f"{letter.method} has run")


@dead.command(
    epilog=_options.examples(
        "callboard dead drop 1795352376476-0 # this one",
        "callboard dead drop --all # every one",
    )
)
@click.argument("identities", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Drop every dead letter.")
@_options.address
def drop(identities: Sequence[str], every: bool, address: str | None) -> None:
    """Drop dead letters for good."""
    if bool(identities) == every:
        raise click.UsageError("name the dead letters to drop, or say --all")
    with reading(address) as reader:
        chosen = [name for name, _ in letters(reader)] if every else [_find(reader, one)[0] for one in identities]
        for batch in parts(chosen):
            reader.ask(("XDEL", reader.keys.letters, *batch))
    click.echo(f"dropped {len(chosen)}")


def _find(reader: Reader, identity: str) -> tuple[str, Letter]:
    """Return the dead letter with an id, or the latest one of a call."""
    if _ENTRY.fullmatch(identity):
        found = next(letters(reader, identity, identity), None)
    else:
        found = next(((name, letter) for name, letter in letters(reader) if letter.call == identity), None)
    if found is None:
        raise NotFound(f"there is no dead letter {identity!r}; `callboard dead list` shows those that there are")
    return found


def _retry(letter_id: str, letter: Letter, timeout: float | None) -> None:
    client = _session.client()
    call = letter.open(client.broker.signer("call", letter.actor))
    if call.streams:
        raise Failure(f"{letter.method} gives its results one by one to its caller, who is gone: it cannot be retried")
    result = client.calls.retry(client.holdings.hold(letter.actor), letter_id, call)
    if not client.wait(lambda: result.done, timeout):
        raise Failure(f"{letter.method} has not ended after {timeout:g} s; the call is not taken back")
    if result.status != STATUS_OK:
        raise Failure(f"{letter.method} has failed again: {result.error()}")
