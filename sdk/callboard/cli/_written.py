"""Where what an actor has written lies, or a worker that runs remote functions."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard.cli import _finding
from callboard.cli._failures import Failure, NotFound
from callboard_broker import ids
from callboard_broker.host import host_id
from callboard_broker.output import TASK, output_files, output_path
from callboard_broker.records import ClientRecord, State
from callboard_broker.wire import maybe_text

if TYPE_CHECKING:
    from callboard.util._reading import Reader
    from callboard_broker.records import ActorRecord

#: Id of a worker that runs tasks.
_WORKER: Final = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody has written.

    Attributes:
        path: The file with what was asked for.
        actor: The actor that writes it; empty when it is a worker that runs tasks.
        ended: Whether nothing more can come, as far as is known.
    """

    path: Path
    actor: str = ""
    ended: bool = False


def find(reader: Reader, name_or_id: str, namespace: str | None, stream: str) -> Written:
    """Return where one of the two streams is of an actor, of a worker that runs tasks, or of the worker of a task.

    Raises:
        NotFound: There is no such thing, or it has written nothing.
        Failure: The file is on another host.
        click.UsageError: There are several actors of that name.
    """
    try:
        record = _finding.find(reader, name_or_id, namespace, dead=True)
    except NotFound:
        worker = _worker(reader, name_or_id)
        if worker is None or namespace is not None:
            raise
        return Written(_of_worker(reader, worker, stream))
    return Written(_of_actor(record, stream), record.actor_id, record.state is State.DEAD)


def _of_actor(record: ActorRecord, stream: str) -> Path:
    files = output_files(record)
    if files is None:
        raise NotFound(f"{_finding.described(record)} has written nothing: it has never had a process")
    if not _is_here(record.host, record.hostname):
        raise _elsewhere(_finding.described(record), record.hostname, f", or read {files[stream]} on that host")
    return files[stream]


def _worker(reader: Reader, identity: str) -> str | None:
    """Return the worker of an id: its own, or that of a task that it runs or ran, as long as RQ's books tell."""
    if _WORKER.fullmatch(identity):
        return identity
    (name,) = reader.ask(("HGET", reader.keys.rq_job(ids.task_id(identity)), "worker_name"))
    found = maybe_text(name)
    return found if found and _WORKER.fullmatch(found) else None


def _of_worker(reader: Reader, worker: str, stream: str) -> Path:
    """Return the file of a worker, which may have ended long ago, from the folders of this host's nodes."""
    folders = {node.log_dir for node in reader.nodes() if _is_here(node.host, node.hostname)}
    for folder in sorted(folders):
        path = Path(f"{output_path(Path(folder), TASK, worker)}.{stream}")
        if path.exists():
            return path
    for record in reader.records(ClientRecord, reader.keys.client, [worker]):
        if not _is_here(record.host, record.hostname):
            raise _elsewhere(f"the worker {worker}", record.hostname)
    raise NotFound(
        f"no worker of remote functions with the id {worker} has written to the folders of this host's nodes "
        f"({', '.join(sorted(folders)) or 'there are none'}); `callboard list clients -f kind=worker` shows those that "
        "there are"
    )


def _is_here(host: str, hostname: str) -> bool:
    return hostname == socket.gethostname() or host == host_id()


def _elsewhere(what: str, hostname: str, otherwise: str = "") -> Failure:
    return Failure(f"{what} ran on {hostname}, this is {socket.gethostname()}: run `callboard logs` there{otherwise}")
