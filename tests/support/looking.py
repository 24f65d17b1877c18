"""Look at what has become of actors and processes."""

import re
from pathlib import Path
from typing import Any

from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard import _session
from callboard.util import state as state_api
from callboard_broker.ids import worker_client_id
from callboard_broker.records import ActorRecord
from callboard_broker.wire import Wire, mapping, text

__all__ = [
    "beats",
    "death",
    "gone",
    "record",
    "state",
    "times_asked",
    "wait_for_death",
    "wait_for_end",
    "wait_for_restart",
    "wait_until_posted",
    "worker_of",
]


def state(handle: Any) -> Any:
    """Return all that the state API says of an actor, which is given by a handle or by its id."""
    actor = handle if isinstance(handle, str) else handle._actor_id

    def listed() -> list[Any]:
        return [item for item in state_api.list_actors(detail=True, limit=10_000) if item.actor_id == actor]

    # A creation is on its way when `.remote()` returns.
    found = wait_until(listed, what=f"{handle} to be listed")
    assert len(found) == 1, f"{handle} is listed {len(found)} times"
    return found[0]


def record(stage: Stage, actor: str) -> ActorRecord:
    """Read an actor's record."""
    return ActorRecord.decode(mapping(stage.wire.call("HGETALL", stage.broker.keys.actor(actor))))


def worker_of(stage: Stage, actor: str) -> str:
    """Return the client that an actor's worker is."""
    return worker_client_id(actor, record(stage, actor).token)


def beats(stage: Stage, node: str) -> int:
    """Return how many heartbeats a node has had."""
    return int(text(stage.wire.call("HGET", stage.broker.keys.node(node), "beat")))


def times_asked(wire: Wire, command: str) -> int:
    """Return how many times a server has run a command since it began, for anybody."""
    found = re.search(rf"cmdstat_{command}:calls=(\d+)", text(wire.call("INFO", "commandstats")))
    return int(found[1]) if found else 0


def death(handle: Any) -> dict[str, Any]:
    """Return why an actor is dead; empty while it is not."""
    cause = state(handle).death_cause
    return dict(cause["actor_died_error_context"]) if cause else {}


def wait_for_death(handle: Any, *, timeout: float = 10.0) -> dict[str, Any]:
    """Wait until an actor is DEAD and return why."""
    return wait_until(lambda: death(handle), what=f"the death of {handle}", timeout=timeout)


def wait_for_restart(handle: Any, number: int) -> None:
    """Wait until the incarnation after so many restarts serves; right after a crash the state may be the old one's."""

    def restarted() -> bool:
        found = state(handle)
        return bool(found.num_restarts >= number and found.state == "ALIVE")

    wait_until(restarted, what=f"restart {number} of {handle}")


def gone(pid: int) -> bool:
    """Tell whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for_end(pid: int, *, timeout: float = 10.0) -> None:
    """Wait until a process has ended."""
    wait_until(lambda: gone(pid), what=f"the end of process {pid}", timeout=timeout)


def wait_until_posted() -> None:
    """Wait until the calls of this process are where they are to go: some wait for a moment for more to go with."""
    _session.client().outbound.flush()
