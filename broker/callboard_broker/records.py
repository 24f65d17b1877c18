"""Typed records: what the hashes in Redis say about actors, clients and nodes."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self, get_type_hints

from callboard_broker.deaths import DeathCause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class State(StrEnum):
    """States of an actor, under Ray's names."""

    DEPENDENCIES_UNREADY = "DEPENDENCIES_UNREADY"
    PENDING_CREATION = "PENDING_CREATION"
    ALIVE = "ALIVE"
    RESTARTING = "RESTARTING"
    DEAD = "DEAD"


class _Stored:
    """A record whose fields are the fields of a hash: text and numbers as they are, booleans as 0 and 1."""

    __slots__ = ()

    @classmethod
    def decode(cls, stored: Mapping[str, bytes]) -> Self:
        """Read a hash; fields that it lacks have their defaults, fields that we do not know are passed over."""
        return cls(**{name: _READERS[kind](stored[name]) for name, kind in _kinds(cls).items() if name in stored})

    @classmethod
    def decode_values(cls, values: Iterable[object]) -> Self:
        """Read the values of all fields in their order; what is no string stands for the default."""
        columns = zip(values, _columns(cls), strict=True)
        return cls(*[read(value) if isinstance(value, bytes) else default for value, (read, default) in columns])

    @classmethod
    def names(cls) -> Iterable[str]:
        """Return the names of the fields."""
        return _kinds(cls)

    def encode(self) -> list[str | int | float]:
        """Return fields and values for HSET."""
        flat: list[str | int | float] = []
        for name, kind in _kinds(type(self)).items():
            value = getattr(self, name)
            flat += (name, int(value) if kind is bool else value)
        return flat


_READERS: Final[dict[type, Callable[[bytes], object]]] = {
    str: lambda text: text.decode(errors="replace"),
    int: int,
    float: float,
    bool: lambda text: bool(int(text)),
    State: lambda text: State(text.decode(errors="replace")),
}
_KINDS: dict[type, dict[str, type]] = {}
_COLUMNS: dict[type, list[tuple[Callable[[bytes], object], Any]]] = {}


def _kinds(cls: type[_Stored]) -> dict[str, type]:
    if cls not in _KINDS:
        hints = get_type_hints(cls)
        _KINDS[cls] = {item.name: hints[item.name] for item in fields(cls)}  # type: ignore[arg-type] # all are dataclasses
    return _KINDS[cls]


def _columns(cls: type[_Stored]) -> list[tuple[Callable[[bytes], object], Any]]:
    if cls not in _COLUMNS:
        kinds = _kinds(cls)
        _COLUMNS[cls] = [(_READERS[kinds[item.name]], item.default) for item in fields(cls)]  # type: ignore[arg-type] # the same
    return _COLUMNS[cls]


@dataclass(frozen=True, slots=True)
class ActorOutline(_Stored):
    """What a list shows of an actor; a record begins with it, so that the server finds it without going far.

    Attributes:
        actor_id: 32 hexadecimal characters.
        created_at: Seconds of the server's clock.
    """

    actor_id: str = ""
    class_name: str = ""
    state: State = State.PENDING_CREATION
    name: str = ""
    namespace: str = ""
    job_id: str = ""
    node: str = ""
    pid: int = 0
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class ActorRecord(ActorOutline):
    """What is known of an actor.

    Attributes:
        owner: Client that created it; it dies with that client unless it is detached.
        host: Identity of the host of its process; pid and start time mean something only there.
        incarnation: Number of the process that is or was the actor, from 1; 0 before the first.
        token: Random half of the incarnation; what a commit must show.
        group: Consumer group of the current connection of the current incarnation.
        sealed: Why nobody can post to the mailbox any more; empty while anybody can.
        voided: Killed: the incarnation named here never had a process.
        shutdown_started: The graceful end began: any death is final.
        started: Whether the constructor of the current incarnation has completed.
        predecessor: Actor whose process must be gone before this one starts, as it bore the same name.
        graceful_ms: Milliseconds that the graceful end may take; 0: as the supervisor says.
        hostname: Name of that host.
        output: Path there, but for the ``.out`` or ``.err`` at the end, of the files that its processes write to.
        max_deliveries: After so many deaths of its process a call is set aside; 0: after none.
        last_id: Last entry id when the current incarnation began; what came later was submitted while it was starting.
    """

    owner: str = ""
    host: str = ""
    hostname: str = ""
    output: str = ""
    start_time: int = 0
    incarnation: int = 0
    token: str = ""
    group: str = "waiting"
    last_id: str = "0-0"
    sealed: str = ""
    voided: bool = False
    shutdown_started: bool = False
    started: bool = False
    ever_started: bool = False
    max_restarts: int = 0
    num_restarts: int = 0
    max_task_retries: int = 0
    max_concurrency: int = 1
    max_pending_calls: int = -1
    max_deliveries: int = 0
    concurrency_groups: str = ""
    detached: bool = False
    num_cpus: float = 0.0
    resources: str = ""
    runtime_env: str = ""
    graceful_ms: int = 0
    definition: str = ""
    predecessor: str = ""
    death_cause: str = ""
    pending_reason: str = ""
    repr_name: str = ""
    ended_at: int = 0
    rejected: int = 0

    @property
    def cause(self) -> DeathCause | None:
        """Return why it died, or what will be said when it does."""
        return DeathCause.from_json(self.death_cause)

    @property
    def required(self) -> dict[str, float]:
        """Return the resources that it needs to be placed, CPUs among them."""
        custom: dict[str, float] = json.loads(self.resources) if self.resources else {}
        return {"CPU": self.num_cpus, **custom} if self.num_cpus else custom

    @property
    def may_restart(self) -> bool:
        """Tell whether a crash would be followed by a restart."""
        return self.max_restarts < 0 or self.num_restarts < self.max_restarts


@dataclass(frozen=True, slots=True)
class ClientRecord(_Stored):
    """What is known of a client: a process that creates, calls and holds actors.

    Attributes:
        kind: ``driver`` or ``worker``.
        host: Identity of the host and pid namespace; equal means that its process can be watched from there.
        beat: Heartbeat counter.
        leaving: ``normal`` when the client said goodbye itself.
        gone: How it ended, in words; set once it has been declared dead.
        actor: For a worker: the actor that it is; empty for one that runs tasks.
    """

    id: str = ""
    kind: str = "driver"
    host: str = ""
    hostname: str = ""
    pid: int = 0
    start_time: int = 0
    namespace: str = ""
    job_id: str = ""
    node: str = ""
    actor: str = ""
    beat: int = 0
    leaving: str = ""
    gone: str = ""


@dataclass(frozen=True, slots=True)
class TaskRecord(_Stored):
    """What is known of an outstanding task beside what its signature covers.

    Attributes:
        worker: Client that runs it; empty while it waits.
        node: Where that client runs.
        attempts: Workers that died while they ran it.
        carried: Tokens of handles and references that it carries.
    """

    worker: str = ""
    node: str = ""
    attempts: int = 0
    carried: str = ""


@dataclass(frozen=True, slots=True)
class NodeRecord(_Stored):
    """What is known of a node.

    Attributes:
        host: Identity of the host and pid namespace.
        beat: Heartbeat counter.
        total: JSON of resources it has.
        free: JSON of resources that are not taken.
        actors: Number of actors it runs.
        log_dir: Where the output of its workers goes.
    """

    id: str = ""
    host: str = ""
    hostname: str = ""
    pid: int = 0
    start_time: int = 0
    beat: int = 0
    total: str = "{}"
    free: str = "{}"
    actors: int = 0
    state: str = "ALIVE"
    log_dir: str = ""

    @property
    def capacity(self) -> dict[str, float]:
        """Return the resources that it has."""
        found: dict[str, float] = json.loads(self.total)
        return found

    @property
    def room(self) -> dict[str, float]:
        """Return the resources that are not taken."""
        found: dict[str, float] = json.loads(self.free)
        return found


# Now, so that processes forked from this one need not: it would be a tenth of what a worker does until it is its actor.
for _cls in (ActorRecord, ClientRecord, TaskRecord, NodeRecord):
    _kinds(_cls)
