"""Options of actors, methods and remote functions, checked alike in decorators and in ``.options()``.

``None`` always means the default. Options of Ray that decide about things which callboard does not have are accepted,
so that programs need not be changed, and have no effect; `_NO_EFFECT` lists them with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias

from callboard import _optionchecks as check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check: TypeAlias = Callable[[str, object], Any]

#: Accepted without effect: option, the types that Ray takes for it, and why it has none here.
_NO_EFFECT: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "_labels": ((dict,), "nodes have no labels: name what an actor needs in resources"),
    "_metadata": ((dict,), "it is Ray's own bookkeeping"),
    "accelerator_type": ((str,), "nodes have no accelerator types: name what an actor needs in resources"),
    "allow_out_of_order_execution": ((bool,), "order is promised for serial actors and for no others"),
    "enable_task_events": ((bool,), "calls are not recorded one by one"),
    "enable_tensor_transport": ((bool,), "results travel through the broker"),
    "fallback_strategy": ((list,), "nodes have no labels to choose by"),
    "label_selector": ((dict,), "nodes have no labels: name what an actor needs in resources"),
    "object_store_memory": ((int,), "there is no shared-memory store to reserve"),
    "placement_group": ((object,), "there are no placement groups"),
    "placement_group_bundle_index": ((int,), "there are no placement groups"),
    "placement_group_capture_child_tasks": ((bool,), "there are no placement groups"),
    "max_calls": ((int,), "workers end when they have been idle for a while"),
    "scheduling_strategy": ((object,), "an actor goes to any node with enough room"),
    "tensor_transport": ((object,), "results travel through the broker"),
}


class _Options:
    """What all kinds of options share; all are frozen dataclasses whose fields have defaults."""

    __slots__ = ()

    _kind: ClassVar[str]
    _checks: ClassVar[Mapping[str, Check]]
    _ignored: ClassVar[frozenset[str]]
    _elsewhere: ClassVar[Callable[[str], str]]

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """Return the options that a decorator was given, and defaults for the others.

        Raises:
            ValueError: An option is unknown, or its value is none of the possible ones.
            TypeError: A value has the wrong type.
        """
        return cls().override(given)

    def override(self, given: Mapping[str, object]) -> Self:
        """Return these options with those of ``.options()`` in their place; these stay as they are.

        Raises:
            ValueError: An option is unknown, its value is none of the possible ones, or two do not go together.
            TypeError: A value has the wrong type.
        """
        blank = type(self)()
        changed: dict[str, object] = {}
        for keyword, value in given.items():
            if keyword in self._checks:
                changed[keyword] = getattr(blank, keyword) if value is None else self._checks[keyword](keyword, value)
            elif keyword in self._ignored:
                if value is not None:
                    check.of_type(keyword, value, _NO_EFFECT[keyword][0])
            else:
                raise ValueError(self._unknown(keyword))
        merged = replace(self, **changed)  # type: ignore[type-var]  # all are dataclasses
        merged.check_together()
        return merged

    def check_together(self) -> None:
        """Check what concerns several options: nothing, unless a kind of options says otherwise.

        Raises:
            ValueError: Two do not go together.
        """

    @classmethod
    def _unknown(cls, keyword: str) -> str:
        valid, ignored = sorted(cls._checks), sorted(cls._ignored)
        advice = cls._elsewhere(keyword)
        if not advice:
            import difflib  # noqa: PLC0415 - only needed here

            near = difflib.get_close_matches(keyword, [*valid, *ignored], 1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
        return (
            f"Invalid option keyword {keyword!r} for {cls._kind}.{advice} Valid ones are: {', '.join(valid)}. "
            f"Accepted without effect: {', '.join(ignored)}."
        )


def _if_of_methods(keyword: str) -> str:
    if keyword not in MethodOptions._checks:  # noqa: SLF001 - the other half of this module
        return ""
    return f" It is an option of methods: use @callboard.method({keyword}=...) or handle.method.options({keyword}=...)."


def _if_not_of_functions(keyword: str) -> str:
    if keyword == "max_task_retries":
        return " It is an option of actors and methods; that of remote functions is max_retries."
    if keyword not in ActorOptions._checks and keyword not in MethodOptions._checks:  # noqa: SLF001 - as above
        return ""
    return " It is an option of actors or of their methods."


def _if_of_actors(keyword: str) -> str:
    if keyword == "max_retries":
        return " It is an option of remote functions; that of methods is max_task_retries."
    if keyword not in ActorOptions._checks:  # noqa: SLF001 - the other half of this module
        return ""
    return f" It is an option of actors: use @callboard.remote({keyword}=...) or Class.options({keyword}=...)."


@dataclass(frozen=True, slots=True)
class ActorOptions(_Options):
    """Options of an actor.

    Attributes:
        num_cpus: CPUs that a node must have left for it.
        num_gpus: GPUs, likewise; which ones is not arranged.
        memory: Bytes, likewise; not enforced.
        resources: Custom resources, likewise.
        max_restarts: Restarts after crashes; -1 for any number.
        max_task_retries: Further attempts at calls whose process died; -1 for any number.
        max_concurrency: Calls that run at once; None: 1, or 1000 for async actors.
        max_pending_calls: Unfinished calls that one client may have; -1 for any number.
        max_deliveries: Deaths of the process after which the call that ran each time is set aside, however many
            retries it has left; None: as ``init`` was told, otherwise after none.
        name: Under which `get_actor` finds it.
        namespace: Where it has that name; None: the namespace of the client.
        lifetime: ``"detached"`` for an actor that no client's end ends.
        get_if_exists: Whether the living actor of that name is taken instead, if there is one.
        runtime_env: ``env_vars`` and ``working_dir`` of its process.
        concurrency_groups: How many calls run at once in each named group.
    """

    num_cpus: float = 0.0
    num_gpus: float = 0.0
    memory: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict)
    max_restarts: int = 0
    max_task_retries: int = 0
    max_concurrency: int | None = None
    max_pending_calls: int = -1
    max_deliveries: int | None = None
    name: str | None = None
    namespace: str | None = None
    lifetime: Literal["detached", "non_detached"] | None = None
    get_if_exists: bool = False
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    concurrency_groups: Mapping[str, int] = field(default_factory=dict)

    _kind: ClassVar[str] = "actors"
    _checks: ClassVar[Mapping[str, Check]] = {
        "num_cpus": check.quantity,
        "num_gpus": check.quantity,
        "memory": check.quantity,
        "resources": check.resources,
        "max_restarts": check.count_or_infinity,
        "max_task_retries": check.count_or_infinity,
        "max_concurrency": check.positive,
        "max_pending_calls": check.limit,
        "max_deliveries": check.positive,
        "name": check.actor_name,
        "namespace": check.namespace,
        "lifetime": check.lifetime,
        "get_if_exists": check.flag,
        "runtime_env": check.runtime_env,
        "concurrency_groups": check.concurrency_groups,
    }
    _ignored: ClassVar[frozenset[str]] = frozenset(_NO_EFFECT) - {"tensor_transport", "max_calls"}
    _elsewhere: ClassVar[Callable[[str], str]] = staticmethod(_if_of_methods)

    def check_together(self) -> None:
        """Check that an actor that may exist already has a name to find it by.

        Raises:
            ValueError: It has none.
        """
        if self.get_if_exists and self.name is None:
            raise ValueError(
                "The actor name must be specified to use `get_if_exists`: "
                "pass name=... too, or leave get_if_exists=True out."
            )

    @property
    def detached(self) -> bool:
        """Tell whether the actor has no owner."""
        return self.lifetime == "detached"


@dataclass(frozen=True, slots=True)
class MethodOptions(_Options):
    """Options of a method or of one call.

    Attributes:
        num_returns: Number of references that a call returns, or ``"streaming"`` or ``"dynamic"`` for a generator of
            them; None: ``"streaming"`` for generator methods, 1 for others.
        max_task_retries: Further attempts, -1 for any number; None: as the actor says.
        retry_exceptions: Whether what the method raises is retried too, within ``max_task_retries``: True, False, or
            the types for which it is; None: as the method says, which is not unless it says so.
        concurrency_group: Group of the actor in which it runs; None: the default one.
        name: What the call is called where calls are shown.
        _generator_backpressure_num_objects: Items that a generator may be ahead of its reader; -1 for any number.
    """

    num_returns: int | Literal["streaming", "dynamic"] | None = None
    max_task_retries: int | None = None
    retry_exceptions: bool | tuple[type[Exception], ...] | None = None
    concurrency_group: str | None = None
    name: str | None = None
    _generator_backpressure_num_objects: int = -1

    _kind: ClassVar[str] = "methods"
    _checks: ClassVar[Mapping[str, Check]] = {
        "num_returns": check.num_returns,
        "max_task_retries": check.count_or_infinity,
        "retry_exceptions": check.retry_exceptions,
        "concurrency_group": check.text,
        "name": check.text,
        "_generator_backpressure_num_objects": check.positive_or_infinity,
    }
    _ignored: ClassVar[frozenset[str]] = frozenset({"_metadata", "enable_task_events", "tensor_transport"})
    _elsewhere: ClassVar[Callable[[str], str]] = staticmethod(_if_of_actors)

    @property
    def backpressure(self) -> int:
        """Return how many items a generator may be ahead of its reader; -1 for any number."""
        return self._generator_backpressure_num_objects

    def retries(self, error: BaseException) -> bool:
        """Tell whether what the method raised is to be retried, as long as ``max_task_retries`` allows it."""
        if isinstance(self.retry_exceptions, tuple):
            return isinstance(error, self.retry_exceptions)
        return bool(self.retry_exceptions) and isinstance(error, Exception)


@dataclass(frozen=True, slots=True)
class TaskOptions(_Options):
    """Options of a remote function or of one call of it.

    Attributes:
        num_cpus: CPUs that a node must have left for it.
        num_gpus: GPUs, likewise: those that the node was given as the resource ``GPU``.
        memory: Accepted; nodes do not count memory.
        resources: Custom resources, likewise.
        num_returns: Number of references that a call returns, or ``"streaming"`` for a generator of them; None:
            ``"streaming"`` for generator functions, 1 for others.
        max_retries: Further attempts when the process died, -1 for any number.
        retry_exceptions: Whether what the function raises is retried too, within ``max_retries``: True, False, or the
            types for which it is.
        name: What the task is called where tasks are shown.
        runtime_env: ``env_vars`` and ``working_dir`` of its process.
        _generator_backpressure_num_objects: Items that a generator may be ahead of its reader; -1 for any number.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict)
    num_returns: int | Literal["streaming", "dynamic"] | None = None
    max_retries: int = 3
    retry_exceptions: bool | tuple[type[Exception], ...] = False
    name: str | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    _generator_backpressure_num_objects: int = -1

    _kind: ClassVar[str] = "remote functions"
    _checks: ClassVar[Mapping[str, Check]] = {
        "num_cpus": check.quantity,
        "num_gpus": check.quantity,
        "memory": check.quantity,
        "resources": check.resources,
        "num_returns": check.num_returns,
        "max_retries": check.count_or_infinity,
        "retry_exceptions": check.retry_exceptions,
        "name": check.text,
        "runtime_env": check.runtime_env,
        "_generator_backpressure_num_objects": check.positive_or_infinity,
    }
    _ignored: ClassVar[frozenset[str]] = frozenset(_NO_EFFECT) - {
        "allow_out_of_order_execution",
        "enable_tensor_transport",
        "tensor_transport",
    }
    _elsewhere: ClassVar[Callable[[str], str]] = staticmethod(_if_not_of_functions)

    @property
    def backpressure(self) -> int:
        """Return how many items a generator may be ahead of its reader; -1 for any number."""
        return self._generator_backpressure_num_objects

    @property
    def required(self) -> dict[str, float]:
        """Return the resources that a worker needs."""
        found = {"CPU": self.num_cpus, "GPU": self.num_gpus, **self.resources}
        return {name: amount for name, amount in found.items() if amount}
