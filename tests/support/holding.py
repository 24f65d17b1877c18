"""An actor that is held somewhere, and who holds it."""

from types import ModuleType
from typing import Any

from tests.support.company import Keeper
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage

__all__ = ["BOUND", "ENDED", "Place"]

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10
#: What a `Mortal` notes last when it ends gracefully.
ENDED = ["hook on the main thread", "atexit"]


class Place:
    """What a test of a place where a handle may be has at hand."""

    def __init__(self, ray: ModuleType, stage: Stage, notes: Notes) -> None:
        self.ray = ray
        self.stage = stage
        self.notes = notes
        self.gate = notes.path.with_name("gate")
        self.keeper = ray.remote(Keeper).remote(f"{notes.path}-of-the-keeper")
        self.actor = ""
        #: Whether the place is in this process.
        self.is_here = False

    def new(self) -> Any:
        """Create the actor that is held."""
        handle = self.ray.remote(Mortal).remote(str(self.notes.path))
        self.actor = handle._actor_id
        self.ray.get(handle.pid.remote(), timeout=BOUND)
        return handle

    def keep(self, thing: Any) -> None:
        """Have the keeper keep a thing."""
        self.ray.get(self.keeper.keep.remote(thing), timeout=BOUND)

    def drop(self) -> None:
        """Have the keeper drop it."""
        self.ray.get(self.keeper.drop.remote(), timeout=BOUND)

    def open_gate(self) -> None:
        """Let calls go on that wait for it."""
        self.gate.touch()

    def holders(self) -> set[str]:
        """Return who holds the actor."""
        return {key.decode() for key in self.stage.wire.call("HKEYS", self.stage.broker.keys.holders(self.actor))}  # type: ignore[union-attr]

    def me(self) -> str:
        """Return this driver as a holder."""
        return f"c:{self.ray.get_runtime_context().get_worker_id()}"

    def is_held(self) -> bool:
        """Tell whether the actor is not even about to end."""
        record = self.stage.broker.keys.actor(self.actor)
        return self.stage.wire.call("HMGET", record, "state", "sealed") == [b"ALIVE", b""]
