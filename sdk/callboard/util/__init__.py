"""What programs need now and then: pools of actors, looking at actors, and lists of names."""

from callboard.util import state
from callboard.util._names import list_named_actors
from callboard.util.actor_pool import ActorPool

__all__ = ["ActorPool", "list_named_actors", "state"]
