"""Commands that do one thing: `kill`, `key`, `demo`, `version`."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import click

from callboard.cli import _finding, _options
from callboard.cli._failures import usage
from callboard.util._reading import reading
from callboard_broker import deaths, ids
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import default_key_file, load_key, write_key_file
from callboard_broker.operations import actors
from callboard_broker.records import State
from callboard_broker.wire import checked, items, text


@click.command(
    epilog=_options.examples(
        "callboard kill counter # the actor of that name",
        "callboard kill counter -n tests # the one in that namespace",
        "callboard kill 0f3c...e1 # by id",
        "callboard kill counter --restart # crash it: it restarts if it may",
    )
)
@_finding.actor_argument
@_finding.namespace_option
@click.option(
    "--no-restart/--restart",
    "final",
    default=True,
    show_default=True,
    help="Whether it stays dead, or may restart, which spends one of its restarts.",
)
@_options.address
def kill(name_or_id: str, namespace: str | None, final: bool, address: str | None) -> None:
    """Kill an actor at once.

    Its process gets SIGKILL, no hook runs, and every open call of it fails. It needs the cluster key. Exit code 3 says
    that there is no such actor.
    """
    with usage(), reading(address) as reader:
        record = _finding.find(reader, name_or_id, namespace)
        if record.state is State.DEAD or (record.voided and final):
            click.echo(f"{_finding.described(record)} was dead already")
            return
        broker = Broker(reader.address, load_key(), reader.prefix)
        # A node would not obey a command that is signed with another key.
        broker.check(reader.wire)
        node, op, subject = record.node, "restart", ids.worker_client_id(record.actor_id, record.token)
        if final:
            ended = actors.kill(reader.keys, record.actor_id, ids.new_token(), deaths.killed())
            node, op, subject = text(items(checked(reader.wire.call(*ended)))[1]), "kill", record.actor_id
        if node:
            reader.ask(actors.command_node(reader.keys, node, broker.signer("command", node), op, subject))
    click.echo(f"killed {_finding.described(record)}" + ("" if final else ", which may restart"))


@click.group()
def key() -> None:
    """Make the cluster key.

    It signs all that processes exchange through Redis. Whoever has it may run code in every process of the callboard;
    whoever lacks it may not, even with access to Redis.
    """


@key.command(
    epilog=_options.examples(
        "callboard key new # this user's key, which all commands and programs find",
        "callboard key new cluster.key # a file to copy to other machines: CALLBOARD_KEY_FILE names it there",
    )
)
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
def new(path: Path | None) -> None:
    """Write a new key to a new file of mode 0600; an existing file is never replaced.

    Without PATH it is the file where programs of this user look: ~/.config/callboard/cluster.key (XDG_CONFIG_HOME).
    """
    place = path or default_key_file(os.environ)
    made = write_key_file(place)
    click.echo(f"wrote the cluster key {made.key_id} to {place}")
    if path is not None:
        click.echo(f"  export CALLBOARD_KEY_FILE={place.absolute()}")


@click.command(epilog=_options.examples("callboard demo # under a minute; it needs nothing but this package"))
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Show what callboard does, on one of its own."""
    from callboard.demo import main  # noqa: PLC0415 - only needed here

    ctx.exit(main())


@click.command(epilog=_options.examples("callboard version"))
def version() -> None:
    """Show the versions of callboard and of Python."""
    click.echo(f"callboard {metadata.version('callboard')}, Python {platform.python_version()}")
