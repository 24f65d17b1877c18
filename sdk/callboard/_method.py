"""``@method``: a method that checkers know through handles, and its options."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, overload

from callboard._definition import MARK
from callboard._options import MethodOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Unpack

    from callboard._handle import ActorMethod
    from callboard._keywords import MethodKeywords
    from callboard._ref import ObjectRef
    from callboard._stream import ObjectRefGenerator

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)


class Method(Protocol[P, R_co, S_co]):
    """What a marked method is to checkers: for ``self`` the function, for a handle what ``.remote()`` is called on.

    Its parameters are its parameters, what it returns, and what ``.remote()`` returns.
    """

    @overload
    def __get__(self, instance: None, owner: type, /) -> ActorMethod[P, S_co]: ...
    @overload
    def __get__(self, instance: object, owner: type, /) -> Callable[P, R_co]: ...


class Mark(Protocol):
    """Marks a method whose calls return a reference to what it returns or its coroutine does, or a stream of them."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
    ) -> Method[P, Coroutine[Any, Any, R], ObjectRef[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # generators are results, too, but not those of a call
        self, function: Callable[Concatenate[Any, P], Iterator[R]], /
    ) -> Method[P, Iterator[R], ObjectRefGenerator[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[Any, P], AsyncIterator[R]], /
    ) -> Method[P, AsyncIterator[R], ObjectRefGenerator[R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Method[P, R, ObjectRef[R]]: ...


class MarkReturning(Protocol[S_co]):
    """Marks a method whose calls return something else."""

    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Method[P, R, S_co]: ...


@overload
def method(
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
) -> Method[P, Coroutine[Any, Any, R], ObjectRef[R]]: ...
@overload
def method(  # type: ignore[overload-overlap]  # as in `Mark`
    function: Callable[Concatenate[Any, P], Iterator[R]], /
) -> Method[P, Iterator[R], ObjectRefGenerator[R]]: ...
@overload
def method(  # type: ignore[overload-overlap]
    function: Callable[Concatenate[Any, P], AsyncIterator[R]], /
) -> Method[P, AsyncIterator[R], ObjectRefGenerator[R]]: ...
@overload
def method(function: Callable[Concatenate[Any, P], R], /) -> Method[P, R, ObjectRef[R]]: ...
@overload
def method(  # type: ignore[overload-overlap]  # 0 and 1 are special numbers
    *, num_returns: Literal[1, "streaming"] | None = None, **options: Unpack[MethodKeywords]
) -> Mark: ...
@overload
def method(  # type: ignore[overload-overlap]
    *, num_returns: Literal[0], **options: Unpack[MethodKeywords]
) -> MarkReturning[None]: ...
@overload
def method(*, num_returns: int, **options: Unpack[MethodKeywords]) -> MarkReturning[list[ObjectRef]]: ...
def method(*functions: Any, **options: Any) -> Any:
    """Mark a method, so that checkers know it through handles, or set its options; or both.

    ``@method``, or ``@method(max_task_retries=3, num_returns=2, ...)``. A method need not be marked to be called.

    Raises:
        ValueError: An option is unknown or has a bad value.
        TypeError: An option's value has the wrong type, or what is marked is not a method.
    """
    if len(functions) == 1 and not options and inspect.isroutine(functions[0]):
        return functions[0]
    if functions or not options:
        raise TypeError(
            "method() takes a method, or options by keyword: use @method or @method(max_task_retries=3)"
            + (f", not method({functions[0]!r})" if functions else "")
        )
    MethodOptions.parse(options)

    def mark(function: Any) -> Any:
        setattr(function, MARK, options)
        return function

    return mark
