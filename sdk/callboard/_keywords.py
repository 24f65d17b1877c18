"""The options of actors, methods and functions as type checkers see them; `_options` says what they mean."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class ActorKeywords(TypedDict, total=False):
    """Options of actors: those of `ActorOptions`, and those that have no effect."""

    num_cpus: float | None
    num_gpus: float | None
    memory: float | None
    resources: dict[str, float] | None
    max_restarts: int | None
    max_task_retries: int | None
    max_concurrency: int | None
    max_pending_calls: int | None
    max_deliveries: int | None
    name: str | None
    namespace: str | None
    lifetime: Literal["detached", "non_detached"] | None
    get_if_exists: bool | None
    runtime_env: dict[str, Any] | None
    concurrency_groups: dict[str, int] | None

    _labels: dict[str, str] | None
    _metadata: dict[str, Any] | None
    accelerator_type: str | None
    allow_out_of_order_execution: bool | None
    enable_task_events: bool | None
    enable_tensor_transport: bool | None
    fallback_strategy: list[Any] | None
    label_selector: dict[str, str] | None
    object_store_memory: int | None
    placement_group: object
    placement_group_bundle_index: int | None
    placement_group_capture_child_tasks: bool | None
    scheduling_strategy: object


class MethodKeywords(TypedDict, total=False):
    """Options of methods, but for ``num_returns``, which decides about what ``.remote()`` returns."""

    max_task_retries: int | None
    retry_exceptions: bool | Sequence[type[Exception]] | None
    concurrency_group: str | None
    name: str | None
    _generator_backpressure_num_objects: int | None

    _metadata: Mapping[str, Any] | None
    enable_task_events: bool | None
    tensor_transport: object


class TaskKeywords(TypedDict, total=False):
    """Options of remote functions, but for ``num_returns``, which decides about what ``.remote()`` returns."""

    num_cpus: float | None
    num_gpus: float | None
    memory: float | None
    resources: dict[str, float] | None
    max_retries: int | None
    retry_exceptions: bool | Sequence[type[Exception]] | None
    name: str | None
    runtime_env: dict[str, Any] | None
    _generator_backpressure_num_objects: int | None

    _labels: dict[str, str] | None
    _metadata: dict[str, Any] | None
    accelerator_type: str | None
    enable_task_events: bool | None
    fallback_strategy: list[Any] | None
    label_selector: dict[str, str] | None
    max_calls: int | None
    object_store_memory: int | None
    placement_group: object
    placement_group_bundle_index: int | None
    placement_group_capture_child_tasks: bool | None
    scheduling_strategy: object
