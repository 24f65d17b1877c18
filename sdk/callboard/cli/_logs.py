"""The command `logs`: what an actor or a worker has written, from the files on its host."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

import click

from callboard.cli import _finding, _options, _written
from callboard.cli._failures import NotFound, usage
from callboard.util._reading import reading
from callboard_broker.locks import wait_for_lock
from callboard_broker.records import State
from callboard_broker.wire import checked, entries, fields, stream_entries

if TYPE_CHECKING:
    from pathlib import Path

    from callboard.util._reading import Reader
    from callboard_broker.packing import Command


@click.command(
    epilog=_options.examples(
        "callboard logs counter # all that it has written to stdout",
        "callboard logs counter --err --tail 20 # the last lines of stderr",
        "callboard logs 0f3c...e1 --follow # and what it writes from now on, until it is DEAD",
        "callboard logs 5f0a...9c-17 # of the worker that ran a task, whose id is that of its job in RQ",
    )
)
@_finding.actor_argument
@_finding.namespace_option
@click.option("--err", is_flag=True, help="Show stderr instead of stdout.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Show only the last N lines [all].")
@click.option("--follow", is_flag=True, help="Show what comes, until the actor is DEAD, or the worker gone.")
@_options.address
def logs(
    name_or_id: str, namespace: str | None, err: bool, tail: int | None, follow: bool, address: str | None
) -> None:
    """Show what an actor has written, also before a restart and after its death.

    It has to be run on the actor's host, where the files are, as a user who may read them. Of a name that nobody bears
    any more, it is the last actor that had it.

    A worker that runs remote functions is meant by its id as a client, or by the id of a task that it ran within the
    last minutes; what other tasks wrote there is shown, too.
    """
    with usage(), reading(address) as reader:
        written = _written.find(reader, name_or_id, namespace, "err" if err else "out")
        try:
            file = written.path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"{written.path} is not there any more: somebody has removed it") from None
        with file:
            _show(file, tail)
            if not follow or written.ended:
                return
            if written.actor:
                _follow_actor(reader, written.actor, written.path, file)
            else:
                _follow_worker(written.path, file)


def _show(file: BinaryIO, tail: int | None) -> None:
    for line in file if tail is None else deque(file, maxlen=tail):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _follow_actor(reader: Reader, actor: str, path: Path, file: BinaryIO) -> None:
    """Show what comes, until the actor is DEAD. The kernel tells of what is written, and the callboard of the end."""
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


def _follow_worker(path: Path, file: BinaryIO) -> None:
    """Show what comes, until no process has the file any more; the kernel tells of both."""
    from inotify_simple import INotify, flags  # noqa: PLC0415 - only needed here

    lives, gone = os.pipe()
    with contextlib.closing(INotify()) as changes, os.fdopen(lives):
        changes.add_watch(path, flags.MODIFY)
        threading.Thread(target=_await_the_end, args=(path, gone), daemon=True).start()
        poll = select.poll()
        for fd in (changes.fileno(), lives):
            poll.register(fd, select.POLLIN)
        ready: set[int] = set()
        while lives not in ready:
            _show(file, None)
            ready = {fd for fd, _ in poll.poll()}
            changes.read(timeout=0)
    _show(file, None)


def _await_the_end(path: Path, gone: int) -> None:
    with path.open("rb") as file:
        wait_for_lock(file.fileno())
    os.close(gone)


def _next_events(reader: Reader, last: bytes) -> Command:
    return ("XREAD", "BLOCK", 0, "STREAMS", reader.keys.events, last)
