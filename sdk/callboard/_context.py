"""The runtime context: who and where the calling code is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias, cast

from callboard import _handle, _session
from callboard._terms import terms_of
from callboard_broker import ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._typed import ActorHandle
    from callboard.worker._birth import Creation
    from callboard.worker._settings import Settings


class Running(NamedTuple):
    """A call that runs in this process.

    Attributes:
        id: Its id as a call.
        name: What it is called where calls are shown.
        function: Module and qualified name of what runs.
        cancelled: Whether its caller does not want it any more.
    """

    id: bytes
    name: str
    function: str
    cancelled: bool


#: Returns the call that runs where this is called; None beside calls.
Look: TypeAlias = "Callable[[], Running | None]"


@dataclass(frozen=True, slots=True)
class _Inside:
    creation: Creation
    settings: Settings
    exit: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Work:
    node: str
    running: Look


_inside: _Inside | None = None
_work: _Work | None = None


def enter(creation: Creation, settings: Settings, leave: Callable[[], None], running: Look) -> None:
    """Note that this process is an actor."""
    global _inside  # noqa: PLW0603 - a process is one actor, by nature
    _inside = _Inside(creation, settings, leave)
    enter_worker(settings.node, running)


def enter_worker(node: str, running: Look) -> None:
    """Note that this process runs calls of others on a node."""
    global _work  # noqa: PLW0603 - a process is one worker, by nature
    _work = _Work(node, running)


class RuntimeContext:
    """Who and where the calling code is. Ids are hexadecimal strings, or None where there is nothing to name."""

    @property
    def was_current_actor_reconstructed(self) -> bool:
        """Tell whether this actor's process is not its first.

        Raises:
            RuntimeError: The caller is not an actor.
        """
        return self._actor("was_current_actor_reconstructed").settings.incarnation > 1

    @property
    def current_actor(self) -> ActorHandle:
        """Return a handle to the actor that is calling. Keeping it in the actor keeps the actor for ever.

        Raises:
            RuntimeError: The caller is not an actor.
        """
        inside = self._actor("current_actor")
        client = _session.client()
        creation = inside.creation
        client.published.setdefault(creation.info.sha, creation.info)
        hold = client.holdings.hold(inside.settings.actor)
        handle = _handle.ActorHandle(hold, creation.info, terms_of(creation.record, creation.info))
        return cast("ActorHandle", handle)

    @property
    def namespace(self) -> str:
        """Return the namespace in which names are looked up here."""
        if _inside is not None:
            return str(_inside.creation.options["namespace"])
        return _session.client().identity.namespace

    def get_actor_id(self) -> str | None:
        """Return the id of the calling actor."""
        return _inside.settings.actor if _inside else None

    def get_actor_name(self) -> str | None:
        """Return the name of the calling actor; the empty string when it has none."""
        return str(_inside.creation.options["name"]) if _inside else None

    def get_job_id(self) -> str:
        """Return the id of the driver's job that this code belongs to."""
        return str(_inside.creation.options["job_id"]) if _inside else _session.client().identity.job_id

    def get_node_id(self) -> str | None:
        """Return the id of the node that the calling actor or task runs on."""
        return _work.node if _work else None

    def get_task_id(self) -> str | None:
        """Return the id of the call that runs here, which is that of its job if it is a task; None outside of one.

        Threads that the call has started are outside of it.
        """
        running = _running()
        return ids.task_id(running.id.decode()) if running else None

    def get_task_name(self) -> str | None:
        """Return what the call that runs here is called: ``Class.method``, or the name of the task; None outside."""
        running = _running()
        return running.name if running else None

    def get_task_function_name(self) -> str | None:
        """Return the module and the qualified name of what runs here; None outside of a call."""
        running = _running()
        return running.function if running else None

    def is_canceled(self) -> bool:
        """Tell whether the call that runs here has been cancelled: a method that takes long may ask, and stop early.

        Raises:
            RuntimeError: No call runs here.
        """
        running = _running()
        if running is None:
            raise RuntimeError("is_canceled() was called where no call runs: call it in a method or a remote function")
        return running.cancelled

    def get_worker_id(self) -> str:
        """Return the id of this process as a client."""
        return _inside.settings.client_id if _inside else _session.client().id

    def get_pid(self) -> int:
        """Return the id of this process."""
        return os.getpid()

    def _actor(self, what: str) -> _Inside:
        if _inside is None:
            raise RuntimeError(f"{what} is only known inside an actor; this is {'a task' if _work else 'a driver'}")
        return _inside


def _running() -> Running | None:
    return _work.running() if _work else None


def get_runtime_context() -> RuntimeContext:
    """Return who and where the calling code is."""
    return RuntimeContext()


def exit_actor() -> NoReturn:
    """Leave the actor that is calling: calls before this one have run, later ones raise `ActorDiedError`.

    Then ``__ray_shutdown__`` runs, and the process ends. There is no restart.

    Raises:
        TypeError: The caller is not an actor.
    """
    if _inside is None:
        raise TypeError(
            "exit_actor() was called outside an actor: call it inside a method of an actor, or end an actor "
            "from outside "
            "by handle.__ray_terminate__.remote()."
        )
    _inside.exit()
    raise AssertionError("unreachable")
