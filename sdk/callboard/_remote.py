"""``@remote``: from a class to an actor class."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from callboard._actor_class import ActorClass
from callboard._definition import HOOK
from callboard._options import ActorOptions

if TYPE_CHECKING:
    from typing import Unpack

    from callboard._keywords import ActorKeywords

#: Classes alone, as they are found before functions; an actor class finds the constructor's parameters in the type.
C = TypeVar("C", bound=type)


class Decorator(Protocol):
    """What ``remote`` with options is."""

    def __call__(self, cls: C, /) -> ActorClass[C]: ...


@overload
def remote(cls: C, /) -> ActorClass[C]: ...
@overload
def remote(**options: Unpack[ActorKeywords]) -> Decorator: ...
def remote(*args: Any, **options: Any) -> Any:
    """Make a class an actor class: ``@remote``, ``@remote(max_restarts=1)`` or ``remote(Class)``.

    Raises:
        TypeError: What is decorated is not a class, or an option's value has the wrong type.
        ValueError: An option is unknown or has a bad value.
    """
    if len(args) == 1 and not options and (inspect.isclass(args[0]) or inspect.isfunction(args[0])):
        return _decorate(args[0], {})
    if args or not options:
        raise TypeError(
            "remote() takes a class, or options by keyword: use @remote, @remote(max_restarts=1) or remote(Class)"
            + (f", not remote({args[0]!r})" if args else "")
        )
    return lambda decorated: _decorate(decorated, options)


def _decorate(decorated: Any, options: dict[str, Any]) -> ActorClass:
    if not inspect.isclass(decorated):
        raise TypeError(f"@remote takes a class, not {decorated!r}")
    if inspect.iscoroutinefunction(getattr(decorated, HOOK, None)):
        warnings.warn(
            f"{decorated.__qualname__}.{HOOK} is async and will not run: make it a plain method", stacklevel=3
        )
    return ActorClass(decorated, ActorOptions.parse(options))
