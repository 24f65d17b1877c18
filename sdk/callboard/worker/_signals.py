"""Ways out of user code. They are control flow, not errors, so that ``except Exception`` does not stop them."""

from __future__ import annotations

from enum import Enum, auto


class Leaving(Enum):
    """Whether the actor has been asked to leave, in a way that no exception may have shown."""

    NO = auto()
    #: By another thread: the call that runs gets its result.
    AFTER_THE_CALL = auto()
    #: By the call that runs, which swallowed what said so.
    WITH_THE_CALL = auto()


class Departure(BaseException):
    """Leave the actor: base of the ways out."""


class ActorExit(Departure):
    """``exit_actor()`` was called in this thread."""


class Terminated(Departure):
    """SIGTERM arrived."""


class Fenced(Departure):
    """A newer incarnation took over, or the actor is gone: nothing that this process does counts any more."""


class Lost(Departure):
    """Neither broker nor supervisor could be found for too long."""
