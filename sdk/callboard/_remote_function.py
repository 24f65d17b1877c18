"""Remote functions: what ``@remote`` makes of a function."""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from callboard import _environment, _serde, _session
from callboard import _retry_policy as retry_policy
from callboard._definition import Definition, signature_of
from callboard._ref import ObjectRef, references
from callboard._result import Result
from callboard._stream import ObjectRefGenerator, StreamResult
from callboard._tasks import Order
from callboard_broker.keys import queue_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from callboard._client import Client
    from callboard._keywords import TaskKeywords
    from callboard._options import TaskOptions
    from callboard._serde import Parcel

#: Resources of the usual worker.
_USUAL = {"CPU": 1.0}
_DIGITS = 8

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class _Source:
    """A function, shared by all that ``.options()`` makes of it: pickled once, defined once per program."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.signature = signature_of(function)
        self.generates = inspect.isgeneratorfunction(function)
        self._parcel: Parcel | None = None
        self._definitions: dict[tuple[str, str], Definition] = {}

    def definition(self, client: Client, runtime_env: dict[str, Any]) -> Definition:
        """Return the function as a client publishes it, made when first needed: by then the module is complete."""
        key = (client.id, json.dumps(runtime_env, sort_keys=True))
        found = self._definitions.get(key)
        if found is None:
            parcel = self._packed()
            # A process that remembered a function would hold what the function holds.
            table = {**_environment.describe(client, runtime_env), "remember": not parcel.carries}
            found = self._definitions[key] = Definition(self.function.__name__, parcel, table)
        return found

    def _packed(self) -> Parcel:
        if self._parcel is None:
            name = self.function.__qualname__
            try:
                self._parcel = _serde.pack(self.function)
            except Exception as error:
                raise TypeError(
                    f"the function {name} cannot be pickled: {error}. Create what cannot be pickled (locks, "
                    "connections, open files) inside it, and do not refer to it as a global."
                ) from error
        return self._parcel


class RemoteFunction(Generic[P, R_co]):
    """A function that runs in processes of others, with its parameters and what ``.remote()`` returns.

    Made by ``@remote``, and by ``.options()``.
    """

    def __init__(self, source: _Source, options: TaskOptions) -> None:
        self._source = source
        self._options = options
        function = source.function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__

    # As for `ActorMethod.remote`.
    @overload
    def remote(self, reference: ObjectRef, /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, first: Any, reference: ObjectRef, /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, first: Any, second: Any, reference: ObjectRef, /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function and return a reference to its result at once.

        Raises:
            TypeError: The arguments do not fit the function, or it or an argument cannot be pickled.
        """
        source, options = self._source, self._options
        source.signature.check(args, kwargs)
        client = _session.client()
        returns = options.num_returns
        if returns is None:
            returns = "streaming" if source.generates else 1
        if returns == "dynamic":
            raise NotImplementedError(f'num_returns="dynamic" is not supported for {self!r}: use "streaming"')
        if returns == "streaming":
            stream = StreamResult(client.tasks.tell, options.backpressure)
            call = client.tasks.submit(self._order(client, options.backpressure), (args, kwargs), stream)
            return ObjectRefGenerator(client, call, stream)
        result = Result()
        call = client.tasks.submit(self._order(client, 0), (args, kwargs), result)
        return references(client, call, result, returns)

    @overload
    def options(self, *, num_returns: None = None, **given: Unpack[TaskKeywords]) -> RemoteFunction[P, R_co]: ...
    @overload
    def options(  # type: ignore[overload-overlap]  # 0 and 1 are special numbers
        self, *, num_returns: Literal[0], **given: Unpack[TaskKeywords]
    ) -> RemoteFunction[P, None]: ...
    @overload
    def options(  # type: ignore[overload-overlap]
        self, *, num_returns: Literal[1], **given: Unpack[TaskKeywords]
    ) -> RemoteFunction[P, ObjectRef]: ...
    @overload
    def options(
        self, *, num_returns: Literal["streaming"], **given: Unpack[TaskKeywords]
    ) -> RemoteFunction[P, ObjectRefGenerator]: ...
    @overload
    def options(self, *, num_returns: int, **given: Unpack[TaskKeywords]) -> RemoteFunction[P, list[ObjectRef]]: ...
    def options(self, **given: Any) -> RemoteFunction[P, Any]:
        """Return the function with other options.

        Raises:
            ValueError: An option is unknown or has a bad value.
            TypeError: An option's value has the wrong type.
        """
        return RemoteFunction(self._source, self._options.override(given))

    def bind(self, *_args: Any, **_kwargs: Any) -> Any:
        """Refuse: callboard has no compiled graphs.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("callboard has no compiled graphs: call the function with .remote()")

    def _order(self, client: Client, ahead: int) -> Order:
        options = self._options
        environment = _environment.merged(client.runtime_env, options.runtime_env)
        opts: dict[str, object] = {}
        if ahead:
            opts["stream"] = ahead
        if options.retry_exceptions:
            opts |= retry_policy.wish(options.retry_exceptions)
        return Order(
            definition=self._source.definition(client, environment),
            name=options.name or self.__name__,
            queue=queue_name(client.broker.prefix, client.identity.job_id, _worker_class(options, environment)),
            required=json.dumps(options.required),
            retries=options.max_retries,
            opts=json.dumps(opts).encode() if opts else b"",
        )

    if not TYPE_CHECKING:  # checkers are to refuse it

        def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
            name = self.__name__
            raise TypeError(
                f"Remote functions cannot be called directly. Instead of running '{name}()', try '{name}.remote()'."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return make, (self._source.function, self._options)

    def __repr__(self) -> str:
        return f"RemoteFunction({self.__name__})"


def make(function: Callable[..., Any], options: TaskOptions) -> RemoteFunction[..., Any]:
    """Make a remote function.

    Raises:
        ValueError: It is a coroutine function.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(
            f"'async def' should not be used for remote functions: let {function.__qualname__} be a plain function "
            "that calls asyncio.run(...)."
        )
    return RemoteFunction(_Source(function), options)


def _worker_class(options: TaskOptions, environment: dict[str, Any]) -> str:
    """Return what tells a queue's workers from the usual ones; nothing for these."""
    if options.required == _USUAL and not environment:
        return ""
    told = json.dumps([options.required, environment], sort_keys=True).encode()
    return hashlib.sha256(told).hexdigest()[:_DIGITS]
