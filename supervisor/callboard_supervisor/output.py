"""Showing what workers write to the programs that they work for.

A worker's streams are files: nothing that it writes is lost with it, and it never waits for whoever reads. The kernel
tells when files have changed. What has been written is published to the job's channel, if anybody listens there.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

from inotify_simple import INotify, flags

from callboard_broker.errors import BrokerError
from callboard_broker.keys import job_of_queue
from callboard_broker.output import KIND, STREAMS, Batch, output_files, output_path
from callboard_broker.wire import integer, items
from callboard_supervisor.residents import Resident
from callboard_supervisor.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from callboard_broker.packing import Command
    from callboard_broker.records import ActorRecord
    from callboard_broker.wire import Reply
    from callboard_supervisor.house import House
    from callboard_supervisor.residents import TaskWorker

_log = logging.getLogger(__name__)

#: Seconds between two rounds: what is written meanwhile is published together, so that a flood costs no more.
_REST: Final = 0.05
#: The same after one that failed: while the server is away, others have more urgent questions to it.
_LONG_REST: Final = 1.0
#: Processes of which something is read in one round; others have their turn in the next.
_WRITERS: Final = 8
#: Rounds at the end of a process, which leave nothing behind that is not skipped.
_ROUNDS: Final = 20
#: Jobs whose lines are counted.
_JOBS: Final = 10_000

#: Whose streams are files.
Writer: TypeAlias = "Resident | TaskWorker"


class Output:
    """Publish what the actors of this node write, and its workers for tasks.

    Args:
        house: What the duties share.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._hostname = socket.gethostname()
        self._inotify: INotify | None = None
        self._written: dict[str, None] = {}
        self._rest = _REST
        self._published: dict[str, int] = {}

    def start(self) -> None:
        """Begin to watch."""
        house = self._house
        try:
            self._inotify = INotify()
            self._inotify.add_watch(house.config.log_dir, flags.MODIFY)
        except OSError as error:
            _log.warning(
                "what actors write is in %s, but not shown in the terminals of programs: inotify says %s. Raise "
                "fs.inotify.max_user_instances by sysctl",
                house.config.log_dir,
                error,
            )
            return
        house.reactor.watch(self._inotify.fileno(), self._changed)

    def stop(self) -> None:
        """Stop watching; harmless when repeated or never started."""
        if self._inotify is not None:
            self._house.reactor.unwatch(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    def place(self, record: ActorRecord) -> tuple[str, str, str, str]:
        """Return the fields of an actor's record that say where the files with its output are."""
        path = output_path(self._house.config.log_dir, record.class_name, record.actor_id)
        return ("hostname", self._hostname, "output", str(path.absolute()))

    def follow(self, writer: Writer, class_name: str) -> dict[str, Path]:
        """Return the files for a process that is about to begin, and show what is written to them from now on."""
        path = output_path(self._house.config.log_dir, class_name, writer.id)
        files = {stream: path.with_name(f"{path.name}.{stream}") for stream in STREAMS}
        writer.tails = {stream: Tail(file) for stream, file in files.items()}
        return files

    def adopt(self, resident: Resident, record: ActorRecord) -> None:
        """Show what an adopted process writes from now on."""
        files = output_files(record)
        if files is None or self._inotify is None:
            return
        try:
            self._inotify.add_watch(files["out"].parent, flags.MODIFY)
        except OSError as error:
            _log.warning("what actor %s writes is not shown: %s", resident.actor, error)
        resident.tails = {stream: Tail(file) for stream, file in files.items()}

    def finish(self, writer: Writer) -> None:
        """Publish what a process has written that has ended."""
        for _ in range(_ROUNDS):
            waiting = any(tail.waiting for tail in writer.tails.values())
            if not waiting or not self._publish([writer], ended=True):
                break
        self._written.pop(writer.id, None)

    def publish_all(self, job: str) -> None:
        """Publish what has been written until now, then tell the programs of a job that it is done."""
        self._note_changes()
        for _ in range(_ROUNDS):
            if not self._next_round() or self._rest != _REST:
                break
        done = Batch(self._house.node, self._published.pop(job, 0), self._hostname)
        self._house.link.call(*self._message(job, done))

    def _changed(self) -> None:
        self._note_changes()
        assert self._inotify is not None
        self._house.reactor.unwatch(self._inotify.fileno())
        self._go_on()

    def _go_on(self) -> None:
        """Publish once, then rest, until nothing is left."""
        if self._inotify is None:
            return
        if self._next_round():
            self._house.reactor.after(self._rest, self._go_on)
        else:
            self._house.reactor.watch(self._inotify.fileno(), self._changed)

    def _note_changes(self) -> None:
        residents = self._house.residents
        for event in self._inotify.read(timeout=0) if self._inotify else ():
            if event.mask & flags.Q_OVERFLOW:
                self._written.update(dict.fromkeys([*residents.by_actor, *residents.task_workers]))
            # The id stands before the four characters that name the stream.
            elif residents.writer(identity := event.name.rpartition("-")[2][:-4]):
                self._written[identity] = None

    def _next_round(self) -> bool:
        """Publish what some have written; tell whether there were any."""
        residents = self._house.residents
        found = [writer for identity in self._written if (writer := residents.writer(identity))]
        # Of the others it is not known yet which process has written.
        chosen = [writer for writer in found if writer.process is not None][:_WRITERS]
        self._written = {writer.id: None for writer in found if writer not in chosen}
        self._publish(chosen, ended=False)
        return bool(chosen)

    def _publish(self, writers: Sequence[Writer], *, ended: bool) -> bool:
        """Publish what has been written, and note of whom more is left; tell whether it could be done."""
        try:
            self._read_and_publish(writers, ended=ended)
        except BrokerError as error:
            if self._rest == _REST:
                _log.warning("what actors write is not shown in terminals for now: %s", error)
            self._rest = _LONG_REST
            return False
        self._rest = _REST
        behind = [writer.id for writer in writers if any(tail.behind for tail in writer.tails.values())]
        self._written.update(dict.fromkeys(behind))
        return True

    def _read_and_publish(self, writers: Sequence[Writer], *, ended: bool) -> None:
        jobs = self._jobs(writers)
        heard = self._heard(set(jobs))
        read: list[tuple[Writer, str, str, tuple[str, ...]]] = []
        for writer, job in zip(writers, jobs, strict=True):
            for stream, tail in writer.tails.items():
                if job not in heard:
                    tail.skip()
                elif lines := tuple(tail.read(ended=ended)):
                    read.append((writer, job, stream, lines))
        commands: list[Command] = []
        # Asked only now: what it is called when its constructor is over, it is called in the lines that follow.
        names = self._names([writer for writer, *_ in read])
        for (writer, job, stream, lines), name in zip(read, names, strict=True):
            pid = writer.process.pid if writer.process else 0
            about = (self._count(job, len(lines)), self._hostname, name, pid, stream)
            commands.append(self._message(job, Batch(self._house.node, *about, lines)))
        self._house.link.pipeline(commands)

    def _jobs(self, writers: Sequence[Writer]) -> list[str]:
        """Return the job that each works for."""
        asked = self._asked(writers, "job_id")
        prefix = self._house.keys.prefix
        return [
            next(asked)[0] if isinstance(writer, Resident) else job_of_queue(prefix, writer.queue) for writer in writers
        ]

    def _names(self, writers: Sequence[Writer]) -> list[str]:
        """Return what each is called at present."""
        asked = self._asked(writers, "repr_name", "class_name")
        return [
            next(filter(None, next(asked)), "") if isinstance(writer, Resident) else writer.function or "task"
            for writer in writers
        ]

    def _asked(self, writers: Sequence[Writer], *fields: str) -> Iterator[list[str]]:
        """Return fields of the records of those who are actors."""
        actors = [writer.id for writer in writers if isinstance(writer, Resident)]
        replies = self._house.link.pipeline([("HMGET", self._house.keys.actor(actor), *fields) for actor in actors])
        return map(_texts, replies)

    def _heard(self, jobs: Iterable[str]) -> set[str]:
        """Return the jobs of which somebody listens."""
        channels = {self._house.keys.output(job): job for job in jobs}
        if not channels:
            return set()
        reply = items(self._house.link.call("PUBSUB", "NUMSUB", *channels))
        return {job for (channel, job), count in zip(channels.items(), reply[1::2], strict=True) if integer(count)}

    def _count(self, job: str, lines: int) -> int:
        """Return how many lines of a job have been published, and count more."""
        before = self._published.pop(job, 0)
        self._published[job] = before + lines
        if len(self._published) > _JOBS:
            # Programs say when they leave; this one is most likely dead.
            del self._published[next(iter(self._published))]
        return before

    def _message(self, job: str, batch: Batch) -> Command:
        signer = self._house.link.broker.signer(KIND, job)
        return ("PUBLISH", self._house.keys.output(job), batch.pack(signer))


def _texts(reply: Reply) -> list[str]:
    return [value.decode(errors="replace") if isinstance(value, bytes) else "" for value in items(reply)]
