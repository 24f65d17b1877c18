"""Exceptions of users, made to travel: rebuilt without their constructors, and joined with `RayTaskError` in one class.

An exception's constructor need not take what pickle would call it with, which is ``args``. So an exception without a
reduction of its own is taken apart into its class, arguments, attributes and slots, and put together past its
constructor.
"""

from __future__ import annotations

import contextlib
import copyreg
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

from callboard_broker.errors import RayError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callboard.exceptions import RayTaskError

E = TypeVar("E", bound=BaseException)

#: Where an instance of a joined class keeps the plain error; a name that no user's exception has.
_TASK: Final = "_callboard_task"
#: What Python itself acts on: an error of a call that were one, too, would end its caller.
_STEERING: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, BaseExceptionGroup)
_HEAP_TYPE: Final = 1 << 9
_HOOKS: Final = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")

# Weak, as a joined class keeps the user's class, which may have come by value and should go with its last error.
_joined: weakref.WeakValueDictionary[type[BaseException], type[RayTaskError]] = weakref.WeakValueDictionary()


def _is_cancelled(cause: BaseException) -> bool:
    # Whoever has one has imported it; others do without.
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(cause, asyncio.CancelledError)


class _Portable:
    """Stand in for an exception while it is pickled; what is unpickled is the exception."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        error = self.error
        args: tuple[object, ...]
        if isinstance(error, BaseExceptionGroup):
            args = (error.message, [portable(member) for member in error.exceptions])
        else:
            args = tuple(map(_inside, _args(error)))
        kept = [{name: _inside(value) for name, value in found} for found in (vars(error).items(), _members(error))]
        return _rebuilt, (type(error), args, *kept)


def _inside(value: object) -> object:
    return portable(value) if isinstance(value, BaseException) else value


def portable(error: BaseException) -> object:
    """Return what to pickle in an exception's place; unpickling that gives the exception."""
    cls = type(error)
    own = cls in copyreg.dispatch_table or any(
        isinstance(getattr(cls, hook, None), types.FunctionType) for hook in _HOOKS
    )
    return error if own else _Portable(error)


def unwrapped(found: object) -> BaseException:
    """Return the exception that `portable` was given, whether its result was pickled in between or not."""
    error = found.error if isinstance(found, _Portable) else found
    if not isinstance(error, BaseException):
        raise TypeError(
            f"an exception was expected and {type(error).__name__} was found: does its __reduce__ return one?"
        )
    return error


def instance(plain: type[RayTaskError], task: RayTaskError, cause: BaseException) -> RayTaskError | None:
    """Return an error that is both a `RayTaskError` and of its cause's class, or None where there can be none.

    Args:
        plain: `RayTaskError` itself.
        task: The plain error.
        cause: Its cause.
    """
    cause_cls = type(cause)
    steers = not isinstance(cause, Exception) and (isinstance(cause, _STEERING) or _is_cancelled(cause))
    if steers or isinstance(task, cause_cls):
        return None
    # Metaclasses and `__init_subclass__` are the user's and may refuse with anything.
    with contextlib.suppress(Exception):
        cls = _joined.get(cause_cls) or _joined.setdefault(cause_cls, _join(plain, cause_cls))
        return _filled(_blank(cls, _building_args(cause)), task, cause)
    return None


def _join(plain: type[RayTaskError], cause_cls: type[BaseException]) -> type[RayTaskError]:
    def construct(cls: type[RayTaskError], *args: object) -> RayTaskError:
        cause = args[0] if args else None
        return _blank(cls, _building_args(cause) if isinstance(cause, BaseException) else args)

    def initialize(self: RayTaskError, cause: object = "") -> None:
        # Programs wrap errors by `type(error)("more words")`.
        known = cause if isinstance(cause, BaseException) else RayError(str(cause))
        _filled(self, plain("", str(cause), known), known)

    def forward(self: RayTaskError, name: str) -> Any:
        task = vars(self).get(_TASK)
        # Notes and hooks of copying are each object's own.
        if task is None or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return getattr(task.cause, name)
        except AttributeError:
            return getattr(task, name)

    def reduce(self: RayTaskError, protocol: object = None) -> tuple[object, ...]:
        del protocol
        added = {name: value for name, value in vars(self).items() if name != _TASK}
        return _restored, (vars(self)[_TASK], added)

    name = f"{plain.__name__}({cause_cls.__name__})"
    body = {
        "__module__": plain.__module__,
        "__qualname__": name,
        "__doc__": f"A `{plain.__name__}` that is also a `{cause_cls.__name__}`.",
        "__new__": construct,
        "__init__": initialize,
        "__getattr__": forward,
        "__str__": lambda self: str(vars(self)[_TASK]),
        "__reduce__": reduce,
        "__reduce_ex__": reduce,
        # A property, as the user's class may have one of this name that cannot be set.
        "cause": property(lambda self: vars(self)[_TASK].cause),
    }
    joined: type[RayTaskError] = types.new_class(name, (plain, cause_cls), exec_body=lambda space: space.update(body))
    return joined


def _filled(error: RayTaskError, task: RayTaskError, cause: BaseException) -> RayTaskError:
    _set_args(error, (cause,))
    _set_members(error, dict(_members(cause)))
    vars(error)[_TASK] = task
    return error


def _restored(task: RayTaskError, added: dict[str, object]) -> RayTaskError:
    error = task.as_instanceof_cause()
    vars(error).update(added)
    return error


def _rebuilt(cls: type[E], args: tuple[object, ...], state: dict[str, object], members: dict[str, object]) -> E:
    error = _blank(cls, args)
    _set_args(error, args)
    _set_members(error, members)
    vars(error).update(state)
    return error


def _blank(cls: type[E], args: tuple[object, ...]) -> E:
    """Make an instance by the built-in class's ``__new__`` alone, past everything that the user defined."""
    base: Any = cls
    while base.__flags__ & _HEAP_TYPE:
        base = base.__base__
    made: E = base.__new__(cls, *args)
    return made


def _building_args(error: BaseException) -> tuple[object, ...]:
    # A group is checked and filled by `__new__`; nothing else needs more than that it is called.
    return (error.message, error.exceptions) if isinstance(error, BaseExceptionGroup) else ()


def _args(error: BaseException) -> tuple[object, ...]:
    found: tuple[object, ...] = _ARGS.__get__(error)
    return found


def _set_args(error: BaseException, args: tuple[object, ...]) -> None:
    _ARGS.__set__(error, args)


_WITHOUT_MEMBERS: Final = (object, BaseException, BaseExceptionGroup)
#: The real one: users' classes shadow it with fields of this name.
_ARGS: Final[Any] = vars(BaseException)["args"]


def _members(error: BaseException) -> Iterator[tuple[str, object]]:
    """Yield what an exception keeps outside its dictionary: slots, and fields of built-in classes such as ``errno``."""
    for cls in type(error).__mro__:
        built_in = not cls.__flags__ & _HEAP_TYPE
        # Those of a group cannot be written: its `__new__` sets them.
        if cls in _WITHOUT_MEMBERS:
            continue
        for name, found in vars(cls).items():
            if not isinstance(found, types.MemberDescriptorType | types.GetSetDescriptorType) or name.startswith("__"):
                continue
            # The object whose attribute was missing may be anything; Python does not pickle it either.
            if cls is AttributeError and name == "obj":
                continue
            with contextlib.suppress(AttributeError):
                value = found.__get__(error)
                # An empty field reads as None, but an OSError with None written into its file name shows that.
                if value is not None or not built_in:
                    yield name, value


def _set_members(error: BaseException, members: dict[str, object]) -> None:
    for name, value in members.items():
        # A class further down may have a property of the name, which then answers for it.
        with contextlib.suppress(AttributeError, TypeError):
            object.__setattr__(error, name, value)
