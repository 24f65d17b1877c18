"""The runtime context: who and where the calling code is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, cast

from callboard import _handle, _session
from callboard._terms import terms_of
from callboard_broker import ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard._typed import ActorHandle
    from callboard.worker._birth import Creation
    from callboard.worker._settings import Settings


@dataclass(frozen=True, slots=True)
class _Inside:
    creation: Creation
    settings: Settings
    exit: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Worker:
    node: str
    task: Callable[[], bytes]


_inside: _Inside | None = None
_worker: _Worker | None = None


def enter(creation: Creation, settings: Settings, leave: Callable[[], None]) -> None:
    """Note that this process is an actor."""
    global _inside  # noqa: PLW0603 - a process is one actor, by nature
    _inside = _Inside(creation, settings, leave)


def enter_worker(node: str, task: Callable[[], bytes]) -> None:
    """Note that this process runs tasks on a node; ``task`` returns the call that runs."""
    global _worker  # noqa: PLW0603 - a process is one worker, by nature
    _worker = _Worker(node, task)


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
        if _worker is not None:
            return _worker.node
        return _inside.settings.node if _inside else None

    def get_task_id(self) -> str | None:
        """Return the id of the calling task, which is that of its job; None outside of one."""
        return ids.task_id(_worker.task().decode()) or None if _worker else None

    def get_worker_id(self) -> str:
        """Return the id of this process as a client."""
        return _inside.settings.client_id if _inside else _session.client().id

    def get_pid(self) -> int:
        """Return the id of this process."""
        return os.getpid()

    def _actor(self, what: str) -> _Inside:
        if _inside is None:
            raise RuntimeError(f"{what} is only known inside an actor; this is {'a task' if _worker else 'a driver'}")
        return _inside


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
