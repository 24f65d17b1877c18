"""The command `logs`: what an actor has written, from the files on its host."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

import click

from callboard.cli import _finding, _options
from callboard.cli._failures import Failure, NotFound, usage
from callboard.util._reading import reading
from callboard_broker.host import host_id
from callboard_broker.output import output_files
from callboard_broker.records import State
from callboard_broker.wire import checked, entries, fields, stream_entries

if TYPE_CHECKING:
    from pathlib import Path

    from callboard.util._reading import Reader
    from callboard_broker.records import ActorRecord
    from callboard_broker.wire import Command


@click.command(
    epilog=_options.examples(
        "callboard logs counter # all that it has written to stdout",
        "callboard logs counter --err --tail 20 # the last lines of stderr",
        "callboard logs 0f3c...e1 --follow # and what it writes from now on, until it is DEAD",
    )
)
@_finding.actor_argument
@_finding.namespace_option
@click.option("--err", is_flag=True, help="Show stderr instead of stdout.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Show only the last N lines [all].")
@click.option("--follow", is_flag=True, help="Show what comes, until the actor is DEAD.")
@_options.address
def logs(
    name_or_id: str, namespace: str | None, err: bool, tail: int | None, follow: bool, address: str | None
) -> None:
    """Show what an actor has written, also before a restart and after its death.

    It has to be run on the actor's host, where the files are, as a user who may read them. Of a name that nobody bears
    any more, it is the last actor that had it.
    """
    with usage(), reading(address) as reader:
        record = _finding.find(reader, name_or_id, namespace, dead=True)
        path = _path(record, "err" if err else "out")
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"{path} is not there any more: somebody has removed it") from None
        with file:
            _show(file, tail)
            if follow and record.state is not State.DEAD:
                _follow(reader, record.actor_id, path, file)


def _path(record: ActorRecord, stream: str) -> Path:
    files = output_files(record)
    if files is None:
        raise NotFound(f"{_finding.described(record)} has written nothing: it has never had a process")
    if record.hostname != socket.gethostname() and record.host != host_id():
        raise Failure(
            f"{_finding.described(record)} ran on {record.hostname}, this is {socket.gethostname()}: run "
            f"`callboard logs` there, or read {files[stream]} on that host"
        )
    return files[stream]


def _show(file: BinaryIO, tail: int | None) -> None:
    for line in file if tail is None else deque(file, maxlen=tail):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _follow(reader: Reader, actor: str, path: Path, file: BinaryIO) -> None:
    """Show what comes. The kernel tells of what is written, and the callboard of the end."""
    from inotify_simple import INotify, flags  # noqa: PLC0415 - only needed here

    with contextlib.closing(INotify()) as changes:
        changes.add_watch(path, flags.MODIFY)
        newest, state = reader.ask(
            ("XREVRANGE", reader.keys.events, "+", "-", "COUNT", 1), ("HGET", reader.keys.actor(actor), "state")
        )
        last = next((entry for entry, _ in entries(newest)), b"0-0")
        lives = state not in {None, State.DEAD.encode()}
        _show(file, None)
        poll = select.poll()
        poll.register(changes.fileno(), select.POLLIN)
        poll.register(reader.wire.fileno(), select.POLLIN)
        if lives:
            reader.wire.send(_next_events(reader, last))
        while lives:
            ready = {fd for fd, _ in poll.poll()}
            if reader.wire.fileno() in ready:
                for entry, flat in stream_entries(checked(reader.wire.receive())):
                    last, told = entry, fields(flat or [])
                    lives = lives and (told.get("actor"), told.get("event")) != (actor.encode(), b"dead")
                reader.wire.send(_next_events(reader, last))
            changes.read(timeout=0)
            _show(file, None)


def _next_events(reader: Reader, last: bytes) -> Command:
    return ("XREAD", "BLOCK", 0, "STREAMS", reader.keys.events, last)
