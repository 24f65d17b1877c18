"""Workers of a nursery for tests: ask for them, and wait for what becomes of them."""

import itertools
import json
import os
import select
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tests.support import fork_entry
from tests.support.waiting import wait_until

from callboard_supervisor.nursery import Event, Exited, Nursery, Spawned
from callboard_supervisor.process import Exit, Process

ROOT = Path(__file__).parents[2]
ENTRY = f"{fork_entry.__name__}:main"

E = TypeVar("E", bound=Event)


def ended(process: Process) -> bool:
    """Say whether a process has ended."""
    return not process.alive()


class Brood:
    """A started nursery whose events are kept until somebody asks for them.

    Args:
        directory: for logs and for what workers tell.
        entry: what they run.
    """

    def __init__(self, directory: Path, entry: str = ENTRY) -> None:
        self.nursery = Nursery()
        self.directory = directory
        self.exit_log = directory / "exits"
        self.stdout = directory / "stdout"
        self.stderr = directory / "stderr"
        self.processes: dict[int, Process] = {}
        self._numbers = itertools.count()
        self._events: list[Event] = []
        environ = os.environ | {"PYTHONPATH": str(ROOT), fork_entry.EXIT_LOG: str(self.exit_log)}
        self.nursery.start(entry, environ=environ)

    @property
    def server(self) -> int:
        """The pid of the fork server."""
        assert self.nursery._server is not None
        return self.nursery._server.pid

    def ask(self, do: str, **config: object) -> int:
        """Ask for a worker that does something; return the request."""
        return self.nursery.spawn({"do": do, **config}, self.stdout, self.stderr, name=f"test-{do}")

    def spawn(self, do: str, **config: object) -> Process:
        """Have a worker."""
        request = self.ask(do, **config)
        return self.event(Spawned, lambda event: event.request == request).process

    def spawn_telling(self, do: str, **config: object) -> tuple[Process, Any]:
        """Have a worker, and what it tells."""
        told = self.directory / f"told-{next(self._numbers)}"
        process = self.spawn(do, tell=str(told), **config)
        wait_until(told.exists, what=f"word from the worker that does {do!r}")
        return process, json.loads(told.read_text())

    def end_of(self, process: Process) -> Exit:
        """Wait for the report of a worker's end."""
        return self.event(Exited, lambda event: event.exit.pid == process.pid).exit

    def event(self, kind: type[E], chosen: Any = bool) -> E:
        """Wait for an event and take it."""

        def look() -> E | None:
            self.receive()
            for event in self._events:
                if isinstance(event, kind) and chosen(event):
                    self._events.remove(event)
                    return event
            return None

        found = wait_until(look, what=f"{kind.__name__} among {self._events}")
        assert found is not None
        return found

    def close(self) -> None:
        """Kill all workers and stop the nursery."""
        for process in self.processes.values():
            process.kill_group()
            wait_until(partial(ended, process), what=f"the end of {process}")
            process.close()
        self.processes.clear()
        self.nursery.stop()

    def receive(self) -> None:
        """Take in what has happened, waiting a moment for it."""
        if self.nursery._channel is not None:
            select.select([self.nursery], [], [], 0.01)
        for event in self.nursery.receive():
            self._events.append(event)
            if isinstance(event, Spawned):
                self.processes[event.process.pid] = event.process
