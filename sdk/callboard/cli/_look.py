"""Commands that look: `list`, `get`, `summary`."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from callboard.cli import _options
from callboard.cli._failures import NotFound, usage
from callboard.cli._output import print_data, print_table
from callboard.util import state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard.util._filters import Filter
    from callboard.util._schemas import StateSchema


@click.command(
    "list",
    epilog=_options.examples(
        "callboard list actors # the 100 newest, those that live first",
        "callboard list actors -f state=ALIVE -f class_name!=Probe # filters must all match",
        "callboard list actors --detail # all that is known, why they died included",
        "callboard list nodes -o json # for programs",
        "callboard list names # who bears which name",
        "callboard list events -f actor_id=0f3c...e1 # what happened to an actor, the latest first",
    ),
)
@click.argument("what", type=click.Choice(["actors", "nodes", "clients", "names", "events"]))
@click.option(
    "--filter", "-f", "filters", multiple=True, type=_options.FilterType(), help="Show only matching ones; repeatable."
)
@click.option("--limit", default=100, show_default=True, help="Show so many at most.")
@click.option("--detail", is_flag=True, help="Show all that is known, as YAML unless --format says otherwise.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for the server.")
@_options.output("table; with --detail yaml")
@_options.address
def list_(
    what: str,
    filters: Sequence[Filter],
    limit: int,
    detail: bool,
    timeout: float,
    form: str | None,
    address: str | None,
) -> None:
    """List actors, nodes, clients, names or events.

    Clients are the processes that use actors, and those that are actors.
    """
    with usage():
        found, columns = _find(what, address, filters, limit, timeout, detail=detail)
    rows = list(map(operator.attrgetter(*columns), found))
    form = form or ("yaml" if detail else "table")
    if form != "table":
        print_data([dict(zip(columns, row, strict=True)) for row in rows], form)
        return
    more = f" (there may be more: raise --limit, up to {state.MOST})" if len(rows) == limit else ""
    click.echo(f"======== List: {datetime.now().astimezone():%Y-%m-%d %H:%M:%S} ========")
    click.echo(f"Stats:\n------------------------------\nTotal: {len(rows)}{more}\n")
    click.echo("Table:\n------------------------------")
    print_table(columns, rows)


def _find(
    what: str, address: str | None, filters: Sequence[Filter], limit: int, timeout: float, *, detail: bool
) -> tuple[Sequence[StateSchema], Sequence[str]]:
    match what:
        case "actors":
            columns = state.ActorState.columns(detail=detail)
            return state.list_actors(address, filters, limit, timeout, detail), columns
        case "nodes":
            return state.list_nodes(address, filters, limit, timeout, detail), state.NodeState.columns(detail=detail)
        case "clients":
            columns = state.ClientState.columns(detail=detail)
            return state.list_clients(address, filters, limit, timeout, detail), columns
        case "events":
            return state.list_events(address, filters, limit, timeout, detail), state.EventState.columns(detail=detail)
    return state.list_names(address, filters, limit, timeout), state.NameState.columns()


@click.command(
    epilog=_options.examples(
        "callboard get actor 0f3c...e1 # all that is known of one actor",
        "callboard get actor 0f3c...e1 -o json # for programs",
        "callboard get node 77ab...0d # of a node",
    )
)
@click.argument("what", type=click.Choice(["actor", "actors", "node", "nodes"]))
@click.argument("identity", metavar="ID")
@_options.output("yaml")
@_options.address
def get(what: str, identity: str, form: str | None, address: str | None) -> None:
    """Show all that is known of one actor, also after its death, or of one node.

    Exit code 3 says that nothing is known of it: it ended long ago, or never existed here.
    """
    kind = what.removesuffix("s")
    look: Callable[[str, str | None], StateSchema | None] = state.get_actor if kind == "actor" else state.get_node
    with usage():
        found = look(identity, address)
    if found is None:
        raise NotFound(
            f"nothing is known of {kind} {identity}: it ended long ago, or never existed here. "
            f"`callboard list {kind}s` shows those that are known"
        )
    if form == "table":
        print_table(["field", "value"], list(found.asdict().items()))
    else:
        print_data(found.asdict(), form or "yaml")


@click.command(
    epilog=_options.examples(
        "callboard summary actors # how many of each class are in which state",
        "callboard summary actors -o yaml # as Ray's summarize_actors() returns it",
    )
)
@click.argument("what", type=click.Choice(["actors"]))
@_options.output("table")
@_options.address
def summary(what: str, form: str | None, address: str | None) -> None:
    """Count actors by class and state."""
    del what
    with usage():
        found: dict[str, Any] = state.summarize_actors(address)
    if form in {"json", "yaml"}:
        print_data(found, form)
        return
    classes = found["cluster"]["summary"].values()
    rows = [(row["class_name"], _counts(row["state_counts"])) for row in classes]
    click.echo(f"Total: {found['cluster']['total_actors']}\n")
    print_table(["class_name", "state_counts"], rows)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
