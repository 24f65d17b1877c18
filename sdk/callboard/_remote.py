"""``@remote``: from a class to an actor class, from a function to a remote function."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, overload

from callboard import _remote_function
from callboard._actor_class import ActorClass
from callboard._definition import HOOK
from callboard._options import ActorOptions, TaskOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Unpack

    from callboard._keywords import ActorKeywords, TaskKeywords
    from callboard._ref import ObjectRef
    from callboard._remote_function import RemoteFunction
    from callboard._stream import ObjectRefGenerator

#: Classes alone, as they are found before functions; an actor class finds the constructor's parameters in the type.
C = TypeVar("C", bound=type)
P = ParamSpec("P")
R = TypeVar("R")
S_co = TypeVar("S_co", covariant=True)


class Decorator(Protocol):
    """What ``remote`` is with options that classes and functions have."""

    @overload
    def __call__(self, cls: C, /) -> ActorClass[C]: ...  # type: ignore[overload-overlap]  # classes can be called, too
    @overload
    def __call__(  # type: ignore[overload-overlap]  # generators are results, too, but not those of a call
        self, function: Callable[P, Iterator[R]], /
    ) -> RemoteFunction[P, ObjectRefGenerator[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> RemoteFunction[P, ObjectRef[R]]: ...


class FunctionDecorator(Protocol):
    """What ``remote`` is with options that only functions have."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # as in `Decorator`
        self, function: Callable[P, Iterator[R]], /
    ) -> RemoteFunction[P, ObjectRefGenerator[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> RemoteFunction[P, ObjectRef[R]]: ...


class DecoratorReturning(Protocol[S_co]):
    """The same for functions whose calls return something else."""

    def __call__(self, function: Callable[P, Any], /) -> RemoteFunction[P, S_co]: ...


@overload
def remote(cls: C, /) -> ActorClass[C]: ...  # type: ignore[overload-overlap]  # as in `Decorator`
@overload
def remote(  # type: ignore[overload-overlap]  # as in `Decorator`
    function: Callable[P, Iterator[R]], /
) -> RemoteFunction[P, ObjectRefGenerator[R]]: ...
@overload
def remote(function: Callable[P, R], /) -> RemoteFunction[P, ObjectRef[R]]: ...
@overload
def remote(**options: Unpack[ActorKeywords]) -> Decorator: ...
@overload
def remote(  # type: ignore[overload-overlap]  # 0 and 1 are special numbers
    *, num_returns: Literal[1, "streaming"] | None = None, **options: Unpack[TaskKeywords]
) -> FunctionDecorator: ...
@overload
def remote(  # type: ignore[overload-overlap]
    *, num_returns: Literal[0], **options: Unpack[TaskKeywords]
) -> DecoratorReturning[None]: ...
@overload
def remote(*, num_returns: int, **options: Unpack[TaskKeywords]) -> DecoratorReturning[list[ObjectRef]]: ...
def remote(*args: Any, **options: Any) -> Any:
    """Make a class an actor class, a function a remote function: ``@remote``, ``@remote(num_cpus=2)``, ``remote(x)``.

    Raises:
        TypeError: What is decorated is neither, or an option's value has the wrong type.
        ValueError: An option is unknown or has a bad value.
    """
    if len(args) == 1 and not options and (inspect.isclass(args[0]) or inspect.isfunction(args[0])):
        return _decorate(args[0], {})
    if args or not options:
        raise TypeError(
            "remote() takes a class or a function, or options by keyword: use @remote, @remote(num_cpus=2) or "
            "remote(Class)" + (f", not remote({args[0]!r})" if args else "")
        )
    return lambda decorated: _decorate(decorated, options)


def _decorate(decorated: Any, options: dict[str, Any]) -> ActorClass | RemoteFunction[..., Any]:
    if inspect.isfunction(decorated):
        return _remote_function.make(decorated, TaskOptions.parse(options))
    if not inspect.isclass(decorated):
        raise TypeError(f"@remote takes a class or a function, not {decorated!r}")
    if inspect.iscoroutinefunction(getattr(decorated, HOOK, None)):
        warnings.warn(
            f"{decorated.__qualname__}.{HOOK} is async and will not run: make it a plain method", stacklevel=3
        )
    return ActorClass(decorated, ActorOptions.parse(options))
