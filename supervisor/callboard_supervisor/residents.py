"""Who lives on this node: actors, each from the decision to run it until it is DEAD, and workers that run tasks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callboard_broker.journal import journal_path, read_journal
from callboard_broker.page import PageError, StatusPage, page_path
from callboard_supervisor import decisions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from callboard_broker.records import ActorRecord
    from callboard_supervisor.process import Process
    from callboard_supervisor.tail import Tail


@dataclass(slots=True)
class Resident:
    """An actor of this node.

    Attributes:
        actor: Its id.
        required: Resources that it takes.
        token: Incarnation that has, or is about to get, a process here; empty before the first.
        process: None while there is none.
        started_at: When the present process began, on the monotonic clock.
        quick_crashes: Crashes in a row of incarnations that lived only shortly.
        told_to_end: When it was sent SIGTERM; 0.0 for not yet.
        timed_out: It was killed because its end took too long.
        ending: Its death is being worked off.
        tails: What its process writes, by stream.
    """

    actor: str
    required: dict[str, float]
    token: str = ""
    process: Process | None = None
    page: StatusPage | None = None
    started_at: float = 0.0
    quick_crashes: int = 0
    told_to_end: float = 0.0
    graceful_timeout: float = 0.0
    timed_out: bool = False
    ending: bool = False
    tails: dict[str, Tail] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return what the files with its output are named by."""
        return self.actor

    def look_at_page(self) -> StatusPage | None:
        """Return the status page of the present incarnation; None while, or if, it has none."""
        if self.page is None and self.token:
            try:
                self.page = StatusPage.open(page_path(self.actor, self.token))
            except (FileNotFoundError, PageError):
                return None
        return self.page

    def left_unsent(self) -> list[bytes]:
        """Return the commands that its dead process had not sent."""
        return read_journal(page_path(self.actor, self.token)) if self.token else []

    def forget_process(self) -> None:
        """Let go of a process that is dead, and of its page."""
        if self.process is not None:
            self.process.close()
            self.process = None
        if self.page is not None:
            self.page.close()
            self.page = None
        if self.token:
            path = page_path(self.actor, self.token)
            StatusPage.unlink(path)
            journal_path(path).unlink(missing_ok=True)
        self.told_to_end = 0.0
        self.timed_out = False


@dataclass(slots=True)
class TaskWorker:
    """A worker that runs tasks.

    Attributes:
        worker: Its id as a client.
        queue: Where its tasks wait.
        required: Resources that a task of it takes.
        page_path: Where its status page lies.
        process: None while it is being forked.
        asked_during: Since when the task ran during which it was asked last to give way to actors; 0 for none.
        told_to_end: When it was told to end after its task, on the monotonic clock; 0.0 for not yet.
        tails: What it writes, by stream.
    """

    worker: str
    queue: str
    required: dict[str, float]
    page_path: Path
    process: Process | None = None
    page: StatusPage | None = None
    asked_during: int = 0
    told_to_end: float = 0.0
    tails: dict[str, Tail] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return what the files with its output are named by."""
        return self.worker

    @property
    def function(self) -> str:
        """Return the name of the function that it runs or ran last; empty before the first."""
        page = self._look_at_page()
        return page.method if page is not None else ""

    @property
    def occupied(self) -> bool:
        """Tell whether it runs a task."""
        return self.running_since > 0

    @property
    def running_since(self) -> int:
        """Return since when the task runs, in nanoseconds of the monotonic clock; 0 when none does."""
        page = self._look_at_page()
        return page.running_since if page is not None else 0

    @property
    def takes_room(self) -> bool:
        """Tell whether it runs a task that does not just wait for others."""
        page = self._look_at_page()
        return page is not None and page.running_since > 0 and not page.pausing

    def forget_process(self) -> None:
        """Let go of a process that is dead, and of its page."""
        if self.process is not None:
            self.process.close()
            self.process = None
        if self.page is not None:
            self.page.close()
            self.page = None
        StatusPage.unlink(self.page_path)

    def _look_at_page(self) -> StatusPage | None:
        if self.page is None and self.process is not None:
            try:
                self.page = StatusPage.open(self.page_path)
            except (FileNotFoundError, PageError):
                return None
        return self.page


@dataclass(slots=True)
class Residents:
    """All who live on this node, and the room that is left."""

    total: dict[str, float]
    by_actor: dict[str, Resident] = field(default_factory=dict)
    task_workers: dict[str, TaskWorker] = field(default_factory=dict)

    def admit(self, record: ActorRecord) -> Resident:
        """Return the resident for an actor, which takes its resources from now on."""
        found = self.by_actor.get(record.actor_id)
        if found is None:
            found = self.by_actor[record.actor_id] = Resident(record.actor_id, record.required)
        return found

    def dismiss(self, actor: str) -> None:
        """Give back what an actor took."""
        self.by_actor.pop(actor, None)

    def writer(self, identity: str) -> Resident | TaskWorker | None:
        """Return whose output is in the files that are named by an id."""
        return self.by_actor.get(identity) or self.task_workers.get(identity)

    def by_pid(self, pid: int) -> Resident | None:
        """Return the resident whose process has a pid."""
        for resident in self.by_actor.values():
            if resident.process is not None and resident.process.pid == pid:
                return resident
        return None

    @property
    def free(self) -> dict[str, float]:
        """Return the resources that are not taken."""
        return self._without(self._taken_by_actors(), self._taken_by_tasks())

    @property
    def free_of_tasks(self) -> dict[str, float]:
        """Return the resources that actors have left."""
        return self._without(self._taken_by_actors())

    @property
    def free_of_actors(self) -> dict[str, float]:
        """Return the resources that tasks have left."""
        return self._without(self._taken_by_tasks())

    def _taken_by_actors(self) -> Iterable[dict[str, float]]:
        return (resident.required for resident in self.by_actor.values())

    def _taken_by_tasks(self) -> Iterable[dict[str, float]]:
        return (worker.required for worker in self.task_workers.values() if worker.takes_room)

    def _without(self, *taken: Iterable[dict[str, float]]) -> dict[str, float]:
        left = dict(self.total)
        for required in itertools.chain(*taken):
            decisions.take(left, required)
        return left

    def room_for(self, required: dict[str, float]) -> bool:
        """Tell whether an actor would fit."""
        return not required or decisions.fits(required, self.free)
