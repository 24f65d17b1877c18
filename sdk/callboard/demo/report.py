"""What the demo says: on a terminal with bars and colours, elsewhere in plain lines."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import callboard
from callboard.util import state
from callboard_broker.addresses import without_password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard import ActorHandle
    from callboard.demo.corpus import Summary
    from callboard.demo.driver import Result
    from callboard_broker.keys import Keyspace

#: Columns where nobody says how many there are.
_WIDTH: Final = 120
_SAMPLES: Final = ("subprocess", "asyncio", "callback")
#: Parts of the work after which a line is written where no bar can move.
_LINES: Final = 10


class Report:
    """Write to standard output."""

    def __init__(self) -> None:
        self._console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)

    def opening(self, files: int, library: str, cast: tuple[int, int], *, own: bool) -> None:
        """Say what is about to happen."""
        clients, indexers = cast
        where = "a callboard of its own" if own else "the callboard of CALLBOARD_ADDRESS"
        self._console.print(
            f"[bold]{clients} client processes[/] have {files} files of {library} indexed by "
            f"[bold]{indexers} actors[/] and collected by a detached one, on {where}. Meanwhile, SIGKILL strikes the "
            f"{indexers}."
        )

    def progress(self, what: str, files: int) -> Bar:
        """Return something to show progress with."""
        return Bar(self._console, what, files)

    def figures(self, result: Result, expected: Summary, loop_seconds: float) -> None:
        """Show both indexes side by side, and what it took."""
        table = Table("", "by actors", "by a loop", title="The index", title_justify="left")
        found = result.summary
        for name in ("files", "words", "postings", "occurrences"):
            table.add_row(name, f"{getattr(found, name):,}", f"{getattr(expected, name):,}")
        table.add_row("SHA-256", found.digest[:32], expected.digest[:32])
        table.add_row("seconds", f"{result.seconds:.1f}", f"{loop_seconds:.1f}")
        self._console.print(table)
        self._console.print(
            f"{found.files / result.seconds:.0f} files/s and {result.calls / result.seconds:.0f} calls/s; "
            f"{result.kills} kills survived, {result.restarts} restarts counted."
        )

    def samples(self, catalogue: ActorHandle) -> None:
        """Ask the Catalogue what people would ask it."""
        for word in _SAMPLES:
            files = callboard.get(catalogue.look_up.remote(word))
            most = ", ".join(f"{file} ({count})" for file, count in list(files.items())[:3])
            self._console.print(f"  {word!r} is in {len(files)} files, most often in {most}", markup=False)

    def actors(self, cast: Sequence[ActorHandle]) -> None:
        """Show how the actors of the demo have fared, as `callboard list actors --detail` does."""
        table = Table(
            "class", "name", "state", "pid", "restarts", "death cause", title="The actors", title_justify="left"
        )
        for handle in cast:
            found = state.get_actor(handle._actor_id)  # noqa: SLF001 - the name is Ray's own
            assert found is not None
            cause = (found.death_cause or {}).get("actor_died_error_context", {})
            table.add_row(
                found.class_name, found.name, found.state, str(found.pid or ""), str(found.num_restarts),
                cause.get("error_message", ""),
            )  # fmt: skip
        self._console.print(table)

    def ways_to_look(self, keys: Keyspace, address: str, catalogue: ActorHandle, *, own: bool) -> None:
        """Print commands that show what the demo has left in Redis."""
        actor = catalogue._actor_id  # noqa: SLF001 - the name is Ray's own
        self._console.print(
            "All of this was in Redis. It is gone with this program; to keep it, run `callboard up` first, set "
            "CALLBOARD_ADDRESS as it says, and run the demo again. Then look with:"
            if own
            else "The Catalogue stays until `callboard kill catalogue --namespace demo`. Look at it with:",
            markup=False,
        )
        for command, key in (
            ("HGETALL", keys.actor(actor)),
            ("XLEN", keys.mailbox(actor)),
            ("HGETALL", keys.holders(actor)),
            ("SMEMBERS", keys.actors),
            ("XREVRANGE", keys.events),
        ):
            rest = " + - COUNT 10" if command == "XREVRANGE" else ""
            self._console.print(
                f"  {redis_cli(address)} {command} '{key.decode()}'{rest}", markup=False, soft_wrap=True
            )

    def verdict(self, result: Result, expected: Summary, enough_kills: int) -> int:
        """Say how it went, and return the exit code."""
        complaints = []
        if result.summary != expected:
            complaints.append("the index made by actors differs from the one made by a loop")
        if result.kills < enough_kills:
            complaints.append(f"only {result.kills} kills struck, which proves nothing")
        if result.restarts < result.kills:
            complaints.append(f"{result.kills} kills struck, but only {result.restarts} restarts were counted")
        for complaint in complaints:
            self._console.print(f"[bold red]Failed:[/] {complaint}.")
        if not complaints:
            self._console.print(
                f"[bold green]The index is right:[/] {result.kills} kills lost nothing and counted nothing twice."
            )
        return 1 if complaints else 0


class Bar:
    """Progress of one part of the work: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, what: str, files: int) -> None:
        self._console = console
        self._what = what
        self._files = files
        self._shown = 0
        self._done = 0
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task(what, total=files, rate="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def update(self, done: int) -> None:
        """Show how many files are done."""
        self._done = done
        elapsed = self._progress.tasks[self._task].elapsed
        rate = f"{done / elapsed:.0f} files/s" if elapsed else ""
        self._progress.update(self._task, completed=done, rate=rate)
        part = done * _LINES // self._files
        if self._progress.disable and part > self._shown:
            self._shown = part
            self._console.print(f"{self._what}: {done} of {self._files} files")

    def say(self, line: str) -> None:
        """Write a line without disturbing the bar."""
        self._console.print(f"  [red]{line}[/]")


def redis_cli(address: str) -> str:
    """Return how redis-cli is called for a server; a password is left for the reader to fill in."""
    parts = urlsplit(address)
    if parts.scheme != "unix":
        return f"redis-cli -u {shlex.quote(without_password(address))}"
    database = parse_qs(parts.query).get("db", ["0"])[0]
    chosen = "" if database == "0" else f" -n {database}"
    return f"redis-cli -s {shlex.quote(unquote(parts.path))}{chosen}"
