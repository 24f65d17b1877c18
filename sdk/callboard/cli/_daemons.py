"""Commands that start and end processes: `up`, `down`, `supervisor`."""

from __future__ import annotations

import os
import select
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from callboard import _running
from callboard.cli import _options
from callboard.cli._failures import Failure
from callboard.util._reading import locate
from callboard_broker.clusterkey import load_key
from callboard_broker.daemons import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds until a supervisor must have said that it serves.
START: Final = 30.0
#: Seconds that a killed process may take to be gone.
_KILLED: Final = 5.0
_LOG_LINES: Final = 10
_SUPERVISOR: Final = (sys.executable, "-m", "callboard_supervisor")

_prefix = click.option(
    "--prefix",
    envvar="CALLBOARD_PREFIX",
    show_envvar=True,
    default="cb",
    show_default=True,
    help="First part of each Redis key: callboards of different prefixes share a server.",
)


@click.command(
    epilog=_options.examples(
        "callboard up # a server that keeps its data, and a supervisor",
        "callboard up --num-cpus 4 # one that promises 4 CPUs to actors",
        'eval "$(callboard up | grep export)" # and let programs of this shell use it',
        "callboard down # end it",
    )
)
@_options.supervising
@_prefix
def up(prefix: str, **options: Any) -> None:
    """Start a callboard on this machine that outlives this command.

    It has a server, which keeps its data in ~/.local/state/callboard (XDG_STATE_HOME), and a supervisor, which runs
    actors. Programs of the same user find it by init(address="auto"). `callboard status` and all other commands use it
    unless CALLBOARD_ADDRESS or --address name another one.
    """
    with _running.changing() as place:
        _refuse_second()
        key = load_key(create=True)
        from callboard_broker.embedded import DetachedServer  # noqa: PLC0415 - only needed here

        server = DetachedServer.start(place / "data")
        running = _running.Running(server.address, str(server.directory), server.process)
        supervisor = None
        try:
            # Written before the supervisor starts: whatever happens to us, `callboard down` finds the server.
            _running.write_state(running)
            supervisor = _start_supervisor(server.address, place, {"prefix": prefix, **options})
            _running.write_state(replace(running, supervisor=supervisor))
        except BaseException:
            if supervisor:
                supervisor.end(_KILLED, number=signal.SIGKILL)
            server.stop()
            _running.clear_state()
            raise
    click.echo(f"callboard is up at {server.address}, signed with the cluster key {key.key_id}")
    click.echo(f"server: pid {server.process.pid}, supervisor: pid {supervisor.pid}, data and logs: {place}\n")
    click.echo("Programs use it by init(address='auto'), or without a change after")
    click.echo(f"  export CALLBOARD_ADDRESS={shlex.quote(server.address)}")


def _refuse_second() -> None:
    found = _running.read_state()
    if found is None:
        return
    alive = {
        name: process.pid
        for name, process in (("server", found.server), ("supervisor", found.supervisor))
        if process is not None and process.alive
    }
    if alive:
        listed = ", ".join(f"{name}: pid {pid}" for name, pid in alive.items())
        raise Failure(f"a callboard is up already at {found.address} ({listed}): use it, or `callboard down` first")


def _start_supervisor(address: str, place: Path, options: dict[str, Any]) -> Daemon:
    log, logs = place / "supervisor.log", place / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    ready, tell = os.pipe()
    with os.fdopen(ready, "rb") as said:
        try:
            arguments = _options.as_arguments({**options, "log_dir": str(logs), "notify_fd": tell})
            environ = {**os.environ, "CALLBOARD_ADDRESS": address}
            start = log.stat().st_size if log.exists() else 0
            supervisor = Daemon.start([*_SUPERVISOR, *arguments], log, environ=environ, pass_fds=[tell])
        finally:
            os.close(tell)
        try:
            serves = select.select([said], [], [], START)[0] and said.readline()
        except BaseException:
            supervisor.end(_KILLED, number=signal.SIGKILL)
            raise
    if not serves:
        supervisor.end(_KILLED, number=signal.SIGKILL)
        raise Failure(f"the supervisor did not start; {_last_words(log, start)}")
    return supervisor


def _last_words(log: Path, start: int) -> str:
    with log.open(errors="replace") as file:
        file.seek(start)
        lines = file.read().splitlines()[-_LOG_LINES:]
    return "\n  ".join([f"the last lines of {log}:", *lines]) if lines else f"{log} has nothing of it"


@click.command(
    epilog=_options.examples(
        "callboard down # actors end gracefully",
        "callboard down --timeout 0 # kill what runs",
    )
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds that the supervisor may take over the end of its actors; then it is killed.",
)
def down(timeout: float) -> None:
    """End the callboard that `callboard up` started. Its data is kept: the next `callboard up` has it again."""
    with _running.changing():
        found = _running.read_state()
        if found is None:
            click.echo("no callboard is up: nothing to end")
            return
        if found.supervisor is not None and not found.supervisor.end(timeout):
            click.echo(
                f"the supervisor (pid {found.supervisor.pid}) did not end in {timeout:g} s and is killed", err=True
            )
            found.supervisor.end(_KILLED, number=signal.SIGKILL)
        from callboard_broker.embedded import DetachedServer  # noqa: PLC0415 - only needed here

        DetachedServer(found.address, Path(found.directory), found.server).stop()
        _running.clear_state()
    click.echo(f"callboard is down; its data is kept in {found.directory}")


@click.command(
    epilog=_options.examples(
        "callboard supervisor --address redis://db:6379/0 # run actors of that callboard here",
        "callboard supervisor --num-cpus 8 --resources '{\"gpu\": 2}' # and say what this node has",
        "CALLBOARD_KEY_FILE=/run/secrets/key callboard supervisor # with the cluster's key",
    )
)
@_options.address
@_prefix
@_options.supervising
@click.option(
    "--log-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the output of actors goes [the supervisor's choice].",
)
def supervisor(address: str | None, **options: Any) -> None:
    """Run a supervisor: this machine becomes a node.

    It starts, watches and restarts actors here, in the foreground, until SIGTERM ends it.

    All nodes and programs of a callboard need the same cluster key. The first supervisor makes one for this user
    (~/.config/callboard/cluster.key) unless CALLBOARD_KEY_FILE names one; copy that file to the other machines.
    """
    # In the environment, as an address may have a password and arguments are visible to every user of the machine.
    environ = {**os.environ, "CALLBOARD_ADDRESS": locate(address)[0]}
    load_key(create=True)
    _become([*_SUPERVISOR, *_options.as_arguments(options)], environ)


def _become(command: Sequence[str], environ: dict[str, str]) -> None:
    """Replace this process, so that the supervisor has its pid and its signals."""
    sys.stdout.flush()
    os.execve(command[0], list(command), environ)  # noqa: S606 - our own interpreter and module
