"""Which actor is meant: found by name or by id, and offered by the shell's completion."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from callboard.cli._failures import NotFound
from callboard.util._names import bearers
from callboard.util._reading import reading
from callboard_broker.errors import RayError
from callboard_broker.records import ActorRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.cli._options import Command
    from callboard.util._reading import Reader

#: Seconds for which a shell waits for completions.
_PATIENCE: Final = 0.3


def actor_argument(command: Command) -> Command:
    """Add the argument that says which actor is meant."""
    return click.argument("name_or_id", shell_complete=_complete(ids=True))(command)


def name_argument(command: Command) -> Command:
    """Add the argument that says which named actor is meant."""
    return click.argument("name", shell_complete=_complete(ids=False))(command)


def namespace_option(command: Command) -> Command:
    """Add the option that says in which namespace a name is meant."""
    text = "Namespace of the name; needed only when several have such a name."
    return click.option("--namespace", "-n", help=text)(command)


def find(reader: Reader, name_or_id: str, namespace: str | None, *, dead: bool = False) -> ActorRecord:
    """Return the record of the actor that bears a name, or has an id.

    Args:
        reader: For looking.
        name_or_id: Which one.
        namespace: Where it has that name; None when there is only one such name.
        dead: Whether the last one to die that bore the name will do when nobody bears it.

    Raises:
        NotFound: There is none.
        click.UsageError: There are several.
    """
    named = {where: actor for (where, name), actor in bearers(reader).items() if name == name_or_id}
    chosen = {where: actor for where, actor in named.items() if namespace in {None, where}}
    if len(chosen) > 1:
        raise click.UsageError(
            f"actors of several namespaces are named {name_or_id!r}: choose by --namespace one of "
            f"{', '.join(sorted(chosen))}"
        )
    actor = next(iter(chosen.values()), name_or_id)
    found = reader.records(ActorRecord, reader.keys.actor, [actor]) if chosen or namespace is None else []
    if not found and dead:
        bore = [
            outline.actor_id
            for batch in reader.outlines()
            for outline in batch
            if outline.name == name_or_id and namespace in {None, outline.namespace}
        ]
        found = reader.records(ActorRecord, reader.keys.actor, bore[:1])
    if not found:
        where = f" in namespace {namespace!r}" if namespace is not None else ""
        raise NotFound(
            f"no actor has the name or id {name_or_id!r}{where}; `callboard list names` and `callboard list actors` "
            "show those that there are"
        )
    return found[0]


def described(record: ActorRecord) -> str:
    """Return how an actor is called in messages."""
    name = f" {record.name!r}" if record.name else ""
    return f"{record.class_name}{name} ({record.actor_id})"


def _complete(*, ids: bool) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def complete(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        offered: list[CompletionItem] = []
        # A shell that waits for completions is no place for errors: the command itself will show them.
        with (
            contextlib.suppress(RayError, OSError, ValueError),
            reading(ctx.params.get("address"), _PATIENCE) as reader,
        ):
            offered += [CompletionItem(name, help=actor) for (_, name), actor in sorted(bearers(reader).items())]
            if ids and begun:
                living, dead = reader.actor_ids()
                offered += [CompletionItem(actor) for actor in living + dead]
        return [item for item in offered if item.value.startswith(begun)]

    return complete
