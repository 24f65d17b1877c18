"""Actor classes: what ``@remote`` makes of a class."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from callboard import _environment, _handle, _names, _session
from callboard._arguments import pack_creation
from callboard._definition import Definition, describe, pack_class
from callboard._generics import T_co
from callboard._ref import ObjectRef
from callboard._terms import terms_of
from callboard.exceptions import ActorClassInheritanceException
from callboard_broker import ids, timing
from callboard_broker.envelope import seal_fields
from callboard_broker.operations import actors
from callboard_broker.records import ActorRecord, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from callboard._client import Client
    from callboard._keywords import ActorKeywords
    from callboard._options import ActorOptions
    from callboard._serde import Parcel
    from callboard._typed import ActorHandle

P = ParamSpec("P")
T = TypeVar("T")

#: Fields of a creation that are signed beside its body, in order.
CREATION_FIELDS = ("definition", "owner", "options", "tokens")
#: How many calls of an async actor run at once, if nobody says otherwise.
ASYNC_CONCURRENCY = 1000


class ActorClass(Generic[T_co]):
    """A class whose instances live in processes of their own; made by ``@remote``, and by ``.options()``.

    Args:
        cls: The plain class.
        options: Options of its actors.
        definition: Makes its definition; None: as it is when it is first needed.
    """

    def __init__(self, cls: type, options: ActorOptions, definition: Callable[[], Definition] | None = None) -> None:
        self._cls = cls
        self._options = options
        # Made when it is first needed: by then the module is complete.
        self.definition = definition or functools.cache(
            lambda: Definition(cls.__name__, pack_class(cls), describe(cls))
        )
        self.__doc__ = cls.__doc__
        self.__name__ = cls.__name__
        self.__qualname__ = cls.__qualname__
        self.__module__ = cls.__module__

    # As for `ActorMethod.remote`; the type of the class, which can be called, tells the constructor's parameters.
    @overload
    def remote(
        self: ActorClass[Callable[..., T]], reference: ObjectRef, /, *args: Any, **kwargs: Any
    ) -> ActorHandle[T]: ...
    @overload
    def remote(
        self: ActorClass[Callable[..., T]], first: Any, reference: ObjectRef, /, *args: Any, **kwargs: Any
    ) -> ActorHandle[T]: ...
    @overload
    def remote(
        self: ActorClass[Callable[..., T]], first: Any, second: Any, reference: ObjectRef, /, *args: Any, **kwargs: Any
    ) -> ActorHandle[T]: ...
    @overload
    def remote(self: ActorClass[Callable[P, T]], *args: P.args, **kwargs: P.kwargs) -> ActorHandle[T]: ...
    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Create an actor and return a handle at once; the constructor runs in the actor's own process.

        Raises:
            TypeError: The arguments do not fit the constructor, or the class or an argument cannot be pickled.
            ValueError: The name is taken (`ActorAlreadyExistsError`).
        """
        return _create(self.definition(), self._options, args, kwargs)

    def options(self, **given: Unpack[ActorKeywords]) -> ActorClass[T_co]:
        """Return the class with other options; this one stays as it is.

        Raises:
            ValueError: An option is unknown or has a bad value.
            TypeError: An option's value has the wrong type.
        """
        return ActorClass(self._cls, self._options.override(given), self.definition)

    if not TYPE_CHECKING:  # checkers are to refuse both

        def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
            name = self._cls.__name__
            raise TypeError(f"Actors cannot be instantiated directly. Instead of '{name}()', use '{name}.remote()'.")

        def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
            raise ActorClassInheritanceException(
                f"Inheriting from the actor class {self._cls.__name__} is not supported. Inherit from the plain class "
                "and make the subclass an actor: Child = callboard.remote(PlainChild)."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorClass, (self._cls, self._options)

    def __repr__(self) -> str:
        return f"ActorClass({self._cls.__name__})"


def _create(
    definition: Definition, options: ActorOptions, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> _handle.ActorHandle:
    _check_groups(definition, options)
    definition.info.methods["__init__"].check(args, kwargs)
    client = _session.client()
    if options.name is not None and options.get_if_exists:
        existing = _names.find(client, options.namespace or client.identity.namespace, options.name)
        if existing is not None:
            return _names.same_class(existing, definition.info, options)
    parcel = pack_creation(args, kwargs)
    definition.publish(client)
    client.published.setdefault(definition.sha, definition.info)
    pending = [ref for ref in (*args, *kwargs.values()) if isinstance(ref, ObjectRef) and not ref._result.done]  # noqa: SLF001
    record = _record(client, definition, options, ready=not pending)
    create = actors.create(client.keys, client.id, record, _creation(client, record, options, (definition, parcel)))
    targets = _targets(definition, parcel)
    token, recipient = f"i:{record.actor_id}", record.actor_id
    with client.outbound.lock:
        hold = client.holdings.hold(record.actor_id, registered=True)
        client.holdings.lend(targets, token, recipient)

        def acknowledged(_reply: object, _keep: object = (parcel, definition)) -> None:
            client.holdings.handed_over(targets, token, recipient)

        client.outbound.post(create, acknowledged)
    handle = _handle.ActorHandle(hold, definition.info, terms_of(record, definition.info))

    def place(predecessor: str) -> None:
        command = actors.place(client.keys, client.id, record.actor_id, predecessor)
        _when_there(client, pending, lambda: client.outbound.post(command))

    if options.name is not None:
        return _names.claim(client, record, handle, options, place)
    if pending:
        place("")
    return handle


def _when_there(client: Client, refs: list[ObjectRef[Any]], then: Callable[[], None]) -> None:
    """Do something once all references have a value or an error."""
    if not refs:
        then()
        return
    first, *others = refs
    client.expect(first, lambda: _when_there(client, others, then))


def _check_groups(definition: Definition, options: ActorOptions) -> None:
    for name, method in definition.info.methods.items():
        group = method.options.get("concurrency_group")
        if group is not None and group not in options.concurrency_groups:
            known = ", ".join(options.concurrency_groups) or "none"
            raise ValueError(
                f"{definition.info.name}.{name} is marked for the concurrency group {group!r}, but the actor's groups "
                f"are: {known}. Name it in @callboard.remote(concurrency_groups={{{group!r}: 2}})."
            )


def _record(client: Client, definition: Definition, options: ActorOptions, *, ready: bool) -> ActorRecord:
    detached = options.lifetime == "detached"
    environment = _environment.merged(client.runtime_env, options.runtime_env)
    return ActorRecord(
        actor_id=ids.new_actor_id(),
        class_name=definition.info.name,
        state=State.PENDING_CREATION if ready and options.name is None else State.DEPENDENCIES_UNREADY,
        name=options.name or "",
        namespace=options.namespace or client.identity.namespace,
        owner=client.id,
        job_id=client.identity.job_id,
        max_restarts=options.max_restarts,
        max_task_retries=options.max_task_retries,
        max_concurrency=options.max_concurrency or (ASYNC_CONCURRENCY if definition.info.asynchronous else 1),
        max_pending_calls=options.max_pending_calls,
        max_deliveries=options.max_deliveries or client.max_deliveries,
        concurrency_groups=json.dumps(dict(options.concurrency_groups)) if options.concurrency_groups else "",
        detached=detached,
        num_cpus=options.num_cpus or 0.0,
        resources=json.dumps(options.resources) if options.resources else "",
        runtime_env=json.dumps(environment) if environment else "",
        graceful_ms=client.graceful_ms,
        definition=definition.sha,
        created_at=timing.latest_ms() // 1000,
    )


def _targets(definition: Definition, parcel: Parcel) -> list[str]:
    return list(dict.fromkeys(definition.parcel.targets + parcel.targets))


def _creation(
    client: Client, record: ActorRecord, options: ActorOptions, parts: tuple[Definition, Parcel]
) -> tuple[bytes | str, ...]:
    definition, parcel = parts
    told = {
        "class_name": record.class_name,
        "name": record.name,
        "max_concurrency": record.max_concurrency,
        "concurrency_groups": options.concurrency_groups,
        "detached": record.detached,
        **_environment.describe(client, json.loads(record.runtime_env or "{}")),
    }
    values = [
        record.definition.encode(),
        client.id.encode(),
        json.dumps(told).encode(),
        " ".join(_targets(definition, parcel)).encode(),
    ]
    return seal_fields(client.broker.signer("creation", record.actor_id), CREATION_FIELDS, values, parcel.body)
