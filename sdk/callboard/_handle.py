"""Handles: what stands for an actor in the processes that call it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from callboard import _retry_policy as retry_policy
from callboard import _serde
from callboard._generics import T_co
from callboard._options import MethodOptions
from callboard._ref import ObjectRef, references
from callboard._stream import ObjectRefGenerator, StreamResult
from callboard_broker.envelope import TERMINATE

if TYPE_CHECKING:
    from typing import Unpack

    from callboard._definition import ClassInfo, MethodInfo
    from callboard._holding import Hold
    from callboard._keywords import MethodKeywords
    from callboard._terms import Terms

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class ActorId(str):
    """The id of an actor: 32 hexadecimal characters; a string that has the ``hex()`` of Ray's ids."""

    __slots__ = ()

    def hex(self) -> str:
        """Return the plain string."""
        return str(self)


class ActorHandle(Generic[T_co]):
    """Stands for an actor: ``handle.method.remote(...)`` calls it.

    The actor lives as long as there is a handle to it anywhere, unless it is detached. Handles are equal when they
    name the same actor, and may be passed on in arguments, results and objects. Checkers see `_typed.ActorHandle`.
    """

    __slots__ = ("__weakref__", "_hold", "_info", "_terms")

    _hold: Hold
    _info: ClassInfo
    _terms: Terms

    def __init__(self, hold: Hold, info: ClassInfo, terms: Terms) -> None:
        object.__setattr__(self, "_hold", hold)
        object.__setattr__(self, "_info", info)
        object.__setattr__(self, "_terms", terms)

    @property
    def _actor_id(self) -> ActorId:
        return ActorId(self._hold.actor)

    def __getattr__(self, name: str) -> ActorMethod[..., Any]:
        method = self._info.method(name)
        if method is None:
            raise AttributeError(f"the actor class {self._info.name} has no method {name!r}")
        return ActorMethod(self, method)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a handle has no attributes of its own: set {name!r} inside the actor")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._hold.actor == other._hold.actor

    def __hash__(self) -> int:
        return hash(self._hold.actor)

    def __repr__(self) -> str:
        return f"Actor({self._info.name}, {self._hold.actor})"

    def __dir__(self) -> list[str]:
        return sorted(self._info.methods)

    def __reduce__(self) -> tuple[Any, ...]:
        parcel = _serde.parcel_being_packed()
        if parcel is not None:
            self._hold.client.require_open(self)
            parcel.actors[self._hold.actor] = self._hold
        return rebuild, (self._hold.actor, self._info.sha, self._terms)


class ActorMethod(Generic[P, R_co]):
    """A method of an actor, with its parameters and what ``.remote()`` returns; keeps the actor alive like a handle."""

    __slots__ = ("_handle", "_method", "_options")

    def __init__(self, handle: ActorHandle, method: MethodInfo, options: MethodOptions | None = None) -> None:
        self._handle = handle
        self._method = method
        self._options = options

    # A reference may stand for any argument. That cannot be said of parameters that are only known together, so calls
    # with one among the first arguments are not checked.
    @overload
    def remote(self, reference: ObjectRef, /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, first: Any, reference: ObjectRef, /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, first: Any, second: Any, reference: ObjectRef, /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method and return a reference to its result at once.

        Raises:
            TypeError: The arguments do not fit the method, or one cannot be pickled.
            RaySystemError: The callboard has been left.
        """
        method, handle = self._method, self._handle
        method.check(args, kwargs)
        hold, terms = handle._hold, handle._terms  # noqa: SLF001
        client, name = hold.client, method.name
        client.require_open(self)
        if name == TERMINATE:
            call, result = client.calls.terminate(hold, terms)
            return ObjectRef(client, call, result)
        if self._options is None and not method.options:
            call, result = client.calls.make_plain(hold, name.encode(), (args, kwargs), terms)
            return ObjectRef(client, call, result)
        retries, returns, opts = self._resolved()
        make = partial(client.calls.make, hold, name.encode(), (args, kwargs), terms, retries=retries, opts=opts)
        if returns == "streaming":
            stream = StreamResult(partial(client.tell, hold.actor), self._ahead())
            call, _ = make(stream=stream)
            return ObjectRefGenerator(client, call, stream)
        call, result = make()
        return references(client, call, result, returns)

    @overload
    def options(self, *, num_returns: None = None, **given: Unpack[MethodKeywords]) -> ActorMethod[P, R_co]: ...
    @overload
    def options(  # type: ignore[overload-overlap]  # 0 and 1 are special numbers
        self, *, num_returns: Literal[0], **given: Unpack[MethodKeywords]
    ) -> ActorMethod[P, None]: ...
    @overload
    def options(  # type: ignore[overload-overlap]
        self, *, num_returns: Literal[1], **given: Unpack[MethodKeywords]
    ) -> ActorMethod[P, ObjectRef]: ...
    @overload
    def options(
        self, *, num_returns: Literal["streaming"], **given: Unpack[MethodKeywords]
    ) -> ActorMethod[P, ObjectRefGenerator]: ...
    @overload
    def options(self, *, num_returns: int, **given: Unpack[MethodKeywords]) -> ActorMethod[P, list[ObjectRef]]: ...
    def options(self, **given: Any) -> ActorMethod[P, Any]:
        """Return the method with other options: the nearer setting wins.

        Raises:
            ValueError: An option is unknown or has a bad value.
            TypeError: An option's value has the wrong type.
        """
        base = self._options or MethodOptions.parse(self._method.options)
        return ActorMethod(self._handle, self._method, base.override(given))

    def bind(self, *_args: Any, **_kwargs: Any) -> Any:
        """Refuse: callboard has no compiled graphs.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("callboard has no compiled graphs: call the method with .remote()")

    def _ahead(self) -> int:
        return (self._options or MethodOptions.parse(self._method.options)).backpressure

    def _resolved(self) -> tuple[int, int | Literal["streaming"], bytes]:
        terms = self._handle._terms  # noqa: SLF001
        options = self._options or MethodOptions.parse(self._method.options)
        retries = options.max_task_retries
        returns = 1 if options.num_returns is None else options.num_returns
        opts: dict[str, object] = {}
        if returns == "dynamic":
            raise NotImplementedError(f'num_returns="dynamic" is not supported for {self!r}: use "streaming"')
        if returns == "streaming":
            opts["stream"] = options.backpressure
        group = options.concurrency_group
        if group is not None:
            if group not in terms.groups:
                known = ", ".join(terms.groups) or "none"
                raise ValueError(f"{self!r} has no concurrency group {group!r}; the actor's groups are: {known}")
            opts["group"] = group
        if options.retry_exceptions is not None:
            opts |= retry_policy.wish(options.retry_exceptions)
        return terms.retries if retries is None else retries, returns, json.dumps(opts).encode() if opts else b""

    if not TYPE_CHECKING:  # checkers are to refuse it

        def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
            name = self._method.name
            raise TypeError(
                f"Actor methods cannot be called directly. Instead of running 'object.{name}()', try "
                f"'object.{name}.remote()'."
            )

    def __repr__(self) -> str:
        return f"{self._handle!r}.{self._method.name}"


def rebuild(actor: str, sha: str, terms: Terms) -> ActorHandle:
    """Make a handle from its pickled form: this process holds the actor, too, from now on."""
    from callboard import _session  # noqa: PLC0415 - pickles name this function; the session is needed only when it runs

    client = _session.client()
    return ActorHandle(client.holdings.hold(actor), client.class_info(sha), terms)
