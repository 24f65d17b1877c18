"""What programs rarely need: looking at actors, and lists of names."""

from callboard.util import state
from callboard.util._names import list_named_actors

__all__ = ["list_named_actors", "state"]
