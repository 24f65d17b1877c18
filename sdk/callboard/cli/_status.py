"""The command `status`: is the callboard well?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from callboard.cli import _options
from callboard.cli._failures import usage
from callboard.cli._output import print_data, print_pairs
from callboard.util._actors import Describer
from callboard.util._reading import reading
from callboard_broker.addresses import without_password
from callboard_broker.wire import text

if TYPE_CHECKING:
    from callboard.util._reading import Reader
    from callboard_broker.records import NodeRecord


@click.command(
    epilog=_options.examples(
        "callboard status # of the callboard of `callboard up`, or of CALLBOARD_ADDRESS",
        "callboard status -a redis://db:6379/0 -o json # of another one, for programs",
    )
)
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for the server.")
@_options.output("table")
@_options.address
def status(timeout: float, form: str | None, address: str | None) -> None:
    """Show nodes, actors, clients, waiting calls and the server. Exit code 4 says that the server does not answer."""
    with usage(), reading(address, timeout) as reader:
        found = _collect(reader)
    if form in {"json", "yaml"}:
        print_data(found, form)
    else:
        print_pairs(_pairs(found))


def _collect(reader: Reader) -> dict[str, Any]:
    nodes, clients = reader.nodes(), reader.clients()
    describer = Describer(reader)
    states: Counter[str] = Counter()
    waiting = 0
    ending = 0
    for batch in reader.actors():
        for actor in describer.fully(batch):
            states[actor.state] += 1
            waiting += actor.mailbox_length or 0
            ending += bool(actor.ending)
    return {
        "address": without_password(reader.address),
        "prefix": reader.prefix,
        "server": _server(reader),
        "nodes": {node.id: _node(node) for node in nodes},
        "actors": dict(sorted(states.items())),
        "actors_ending": ending,
        "clients": dict(sorted(Counter(client.kind for client in clients).items())),
        "calls_in_mailboxes": waiting,
    }


def _node(node: NodeRecord) -> dict[str, Any]:
    return {
        "node_name": node.hostname,
        "state": node.state,
        "actors": node.actors,
        "cpus": node.capacity.get("CPU", 0),
        "cpus_available": node.room.get("CPU", 0),
    }


def _server(reader: Reader) -> dict[str, str]:
    (reply,) = reader.ask(("INFO",))
    lines = (line.partition(":") for line in text(reply).splitlines())
    about = {name: value for name, _, value in lines}
    product = about.get("server_name", "redis")
    return {
        "product": product,
        "version": about.get(f"{product}_version", about.get("redis_version", "?")),
        "maxmemory_policy": about.get("maxmemory_policy", "?"),
        "used_memory": about.get("used_memory_human", "?"),
        "append_only_file": "yes" if about.get("aof_enabled") == "1" else "no",
    }


def _pairs(found: dict[str, Any]) -> list[tuple[str, str]]:
    server, nodes, actors = found["server"], found["nodes"], found["actors"]
    ending = f" ({found['actors_ending']} of them ending)" if found["actors_ending"] else ""
    described = (
        f"{server['product']} {server['version']}, maxmemory-policy {server['maxmemory_policy']}, "
        f"memory {server['used_memory']}, append-only file: {server['append_only_file']}"
    )
    pairs = [
        ("Callboard", f"{found['address']} (prefix {found['prefix']})"),
        ("Server", described),
        ("Nodes", str(len(nodes)) if nodes else "none: actors wait until `callboard supervisor` runs somewhere"),
    ]
    for identity, node in nodes.items():
        room = f"{node['cpus_available']:g} of {node['cpus']:g} CPUs free"
        pairs.append(("", f"{identity} on {node['node_name']}: {node['state']}, {node['actors']} actors, {room}"))
    return [
        *pairs,
        ("Actors", _listed(actors) + ending),
        ("Clients", _listed(found["clients"])),
        ("Mailboxes", f"{found['calls_in_mailboxes']} calls waiting or running"),
    ]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"
