"""What is shown of actors, nodes and clients, under Ray's names where it has one."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from typing import Any


class StateSchema:
    """A dataclass that can also be read like a dictionary.

    Fields with a default are details: they are None unless details were asked for.
    """

    __slots__ = ()

    def __getitem__(self, column: str) -> Any:
        if column not in self.columns():
            raise KeyError(f"{type(self).__name__} has no {column!r}; it has {', '.join(self.columns())}")
        return getattr(self, column)

    def get(self, column: str, default: Any = None) -> Any:
        """Return a field's value, or the default when there is no such field."""
        return getattr(self, column) if column in self.columns() else default

    def asdict(self) -> dict[str, Any]:
        """Return all fields as a dictionary of plain values."""
        return asdict(self)  # type: ignore[call-overload,no-any-return] # all are dataclasses

    @classmethod
    @cache
    def columns(cls, *, detail: bool = True) -> tuple[str, ...]:
        """Return the names of the fields, with or without the details."""
        return tuple(field.name for field in fields(cls) if detail or field.default is MISSING)  # type: ignore[arg-type] # the same

    def without_details(self) -> None:
        """Set the details to None."""
        for column in self.columns()[len(self.columns(detail=False)) :]:
            setattr(self, column, None)


@dataclass(slots=True)
class ActorState(StateSchema):
    """An actor.

    Attributes:
        actor_id: 32 hexadecimal characters.
        class_name: Its class.
        state: ``DEPENDENCIES_UNREADY``, ``PENDING_CREATION``, ``ALIVE``, ``RESTARTING`` or ``DEAD``.
        job_id: The program that it belongs to.
        name: Empty when it has none.
        node_id: Where it runs or ran; None before it was placed.
        pid: Its process; 0 while it has none.
        ray_namespace: Namespace of its name.
        serialized_runtime_env: JSON of its ``runtime_env``.
        required_resources: What its node must have free.
        death_cause: Why it is DEAD: a dictionary with one, ``actor_died_error_context``.
        is_detached: Whether it outlives its owner.
        placement_group_id: Always None: there are no placement groups.
        repr_name: Its ``repr`` once it was ALIVE, if its class defines one.
        num_restarts: How often it was restarted, also counting a restart under way.
        mailbox_length: Calls that are waiting or running.
        current_call: Method that it runs, if it does so on this host; otherwise None. Of several calls at once all
            methods, in alphabetical order, with how many of each: ``fetch (3), store``.
        retried_call: Of the calls that its process died of and that are run again, the one that has done so most often:
            method, call and how often; None when there is none.
        ending: Whether it takes no more calls and is not DEAD yet.
        pending_reason: Why it has not been placed.
    """

    actor_id: str
    class_name: str
    state: str
    job_id: str
    name: str
    node_id: str | None
    pid: int
    ray_namespace: str
    serialized_runtime_env: str | None = None
    required_resources: dict[str, float] | None = None
    death_cause: dict[str, dict[str, Any]] | None = None
    is_detached: bool | None = None
    placement_group_id: str | None = None
    repr_name: str | None = None
    num_restarts: int | None = None
    mailbox_length: int | None = None
    current_call: str | None = None
    retried_call: str | None = None
    ending: bool | None = None
    pending_reason: str | None = None


@dataclass(slots=True)
class NodeState(StateSchema):
    """A node: a supervisor and the actors that it runs.

    Attributes:
        node_id: 24 hexadecimal characters.
        node_name: Host name.
        state: As the node says itself.
        pid: Process of the supervisor.
        actors: Number of actors that it runs.
        resources_total: What it has.
        resources_available: What is not taken.
        host: Identity of the host and its pid namespace.
        heartbeat: Counter; only its moving means anything.
        log_dir: Where the output of its workers goes.
    """

    node_id: str
    node_name: str
    state: str
    pid: int
    actors: int
    resources_total: dict[str, float]
    resources_available: dict[str, float]
    host: str | None = None
    heartbeat: int | None = None
    log_dir: str | None = None


@dataclass(slots=True)
class ClientState(StateSchema):
    """A client: a process that creates, calls and holds actors; also each actor's own process.

    Attributes:
        client_id: For a driver 24 hexadecimal characters, for a worker its actor and the token of its incarnation.
        kind: ``driver`` or ``worker``.
        state: ``ALIVE``, ``LEAVING`` (said goodbye) or ``GONE`` (declared dead, its holdings are being released).
        node_name: Host name.
        pid: Its process.
        job_id: The program that it belongs to.
        ray_namespace: Namespace of names that it is in.
        actor_id: For a worker: the actor that it is; otherwise None.
        node_id: For a worker: its node; otherwise None.
        host: Identity of the host and its pid namespace.
        heartbeat: Counter; only its moving means anything. That of an actor only moves while it waits for something.
        inbox_length: Outcomes that it has not taken yet.
        holdings: How many actors, handles, objects and classes are kept for it.
    """

    client_id: str
    kind: str
    state: str
    node_name: str
    pid: int
    job_id: str
    ray_namespace: str
    actor_id: str | None
    node_id: str | None = None
    host: str | None = None
    heartbeat: int | None = None
    inbox_length: int | None = None
    holdings: int | None = None


@dataclass(slots=True)
class NameState(StateSchema):
    """A name that an actor bears."""

    name: str
    ray_namespace: str
    actor_id: str


@dataclass(slots=True)
class EventState(StateSchema):
    """Something that happened to an actor.

    Attributes:
        time: When, by the server's clock, in UTC.
        event: ``created``, ``pending_creation`` or ``restarting`` (a new process is being started), ``alive``,
            ``sealed`` (it takes no more calls), ``ending`` (its graceful end began), ``killed``, ``dead``, or
            ``set_aside`` (a call that it died of too often).
        actor_id: 32 hexadecimal characters.
        node_id: Where its process is being started.
        reason: Why it was sealed or killed, or died; the call that was set aside.
        message: Why it died, in a sentence.
        incarnation: Number of the process that is being started.
        event_id: Id of the stream's entry.
    """

    time: str
    event: str
    actor_id: str
    node_id: str | None
    reason: str | None
    message: str | None = None
    incarnation: int | None = None
    event_id: str | None = None


@dataclass(slots=True)
class DeadLetterState(StateSchema):
    """A call that was set aside, as it took its actor's process down too often.

    Attributes:
        letter_id: What `callboard dead` calls it.
        time: When it was set aside, by the server's clock, in UTC.
        class_name: The actor's class.
        method: What was called.
        actor_id: 32 hexadecimal characters.
        call_id: The call; before the slash its caller.
        deliveries: How often it had run.
        cause: How the process ended the last time.
        name: The actor's name; empty when it has none.
        size: Bytes of its arguments, pickled.
    """

    letter_id: str
    time: str
    class_name: str
    method: str
    actor_id: str
    call_id: str
    deliveries: int
    cause: str
    name: str | None = None
    size: int | None = None
