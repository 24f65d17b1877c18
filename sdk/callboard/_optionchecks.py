"""Checks of single options: each returns the value as it is kept, or raises what names option, value and cure.

A value of the wrong type is a TypeError, one that is not possible a ValueError; booleans are no numbers.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Literal, TypeGuard

#: The largest whole number that JSON, Lua and Python all keep exactly.
_LARGEST: Final = 2**53
#: The least part of a resource, as in Ray.
_LEAST: Final = 0.0001
_LIFETIMES: Final = ("detached", "non_detached")
_STREAMS: Final = ("streaming", "dynamic")
#: Resources that have options of their own.
_OWN_OPTION: Final = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
#: Characters of a value that errors show.
_LONGEST: Final = 100
#: What a ``runtime_env`` may have.
_ENVIRONMENT: Final = ("env_vars", "working_dir")


def of_type(keyword: str, value: object, kinds: tuple[type, ...]) -> None:
    """Raise unless a value is of one of the types; a boolean is no number.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and object not in kinds):
        raise _wrong_type(keyword, value, " or ".join(kind.__name__ for kind in kinds))


def flag(keyword: str, value: object) -> bool:
    """Take a boolean."""
    of_type(keyword, value, (bool,))
    return bool(value)


def count_or_infinity(keyword: str, value: object) -> int:
    """Take 0, a positive integer, or -1 for infinity."""
    return _whole(keyword, value, -1, "0, -1 or a positive integer, where -1 represents infinity")


def limit(keyword: str, value: object) -> int:
    """Take a positive integer, or -1 for infinity, which Ray lets 0 stand for too."""
    return count_or_infinity(keyword, value) or -1


def positive_or_infinity(keyword: str, value: object) -> int:
    """Take a positive integer, or -1 for infinity."""
    words = "-1 or a positive integer, where -1 represents infinity"
    number = _whole(keyword, value, -1, words)
    if number == 0:
        raise _impossible(keyword, value, words)
    return number


def positive(keyword: str, value: object) -> int:
    """Take a positive integer."""
    return _whole(keyword, value, 1, "a positive integer")


def quantity(keyword: str, value: object) -> float:
    """Take an amount of a resource: not negative, finite, and no finer than 0.0001."""
    if not _is_number(value):
        raise _wrong_type(keyword, value, "int or float")
    if not 0 <= value <= _LARGEST or math.isnan(value):
        raise ValueError(
            f"The quantity of resource {keyword} cannot be negative, infinite or above {_LARGEST}, "
            f"but it is {_shown(value)}."
        )
    if 0 < value < _LEAST:
        raise ValueError(
            f"The precision of the fractional quantity of resource {keyword} cannot go beyond {_LEAST}, "
            f"but it is {value!r}: use 0 or at least {_LEAST}."
        )
    return float(value)


def resources(keyword: str, value: object) -> dict[str, float]:
    """Take amounts of custom resources by name."""
    found = _named(keyword, value)
    for name, option in _OWN_OPTION.items():
        if name in found:
            raise ValueError(f"Use the {option!r} keyword instead of {name!r} in the {keyword!r} keyword: {found!r}.")
    return {name: quantity(f"{keyword}[{name!r}]", amount) for name, amount in found.items()}


def text(keyword: str, value: object) -> str:
    """Take a string that is not empty and can be stored."""
    if not isinstance(value, str):
        raise _wrong_type(keyword, value, "str")
    if not value:
        raise _impossible(keyword, value, "a string that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _impossible(keyword, value, "a string that can be encoded as UTF-8") from None
    return value


def actor_name(keyword: str, value: object) -> str:
    """Take the name of an actor."""
    if isinstance(value, str) and not value:
        raise ValueError("Actor name cannot be an empty string. Pass None for an actor that has no name.")
    return text(keyword, value)


def namespace(keyword: str, value: object) -> str:
    """Take a namespace."""
    if isinstance(value, str) and not value:
        raise ValueError('"" is not a valid namespace. Pass None to use the namespace that `callboard.init` was given.')
    return text(keyword, value)


def lifetime(keyword: str, value: object) -> Literal["detached", "non_detached"]:
    """Take how long an actor lives."""
    if not isinstance(value, str):
        raise _wrong_type(keyword, value, "str")
    if value == "detached":
        return "detached"
    if value == "non_detached":
        return "non_detached"
    raise _impossible(keyword, value, " or ".join(map(repr, _LIFETIMES)))


def concurrency_groups(keyword: str, value: object) -> dict[str, int]:
    """Take sizes of concurrency groups by name."""
    return {name: positive(f"{keyword}[{name!r}]", size) for name, size in _named(keyword, value).items()}


def runtime_env(keyword: str, value: object) -> dict[str, Any]:
    """Take what an actor's process is to have: environment variables and the folder that it starts in."""
    found = _named(keyword, value)
    unknown = sorted(found.keys() - set(_ENVIRONMENT))
    if unknown:
        raise ValueError(
            f"The keyword {keyword!r} only accepts {' and '.join(_ENVIRONMENT)}, but received {', '.join(unknown)}. "
            "Install what the actor needs where its node runs, and leave the field out."
        )
    kept: dict[str, Any] = {}
    if found.get("env_vars") is not None:
        kept["env_vars"] = _env_vars(f"{keyword}['env_vars']", found["env_vars"])
    if found.get("working_dir") is not None:
        kept["working_dir"] = _folder(f"{keyword}['working_dir']", found["working_dir"])
    return kept


def num_returns(keyword: str, value: object) -> int | str:
    """Take a number of results, or a way to return a generator of them."""
    words = "0, a positive integer, " + " or ".join(f'"{way}"' for way in _STREAMS)
    if isinstance(value, str):
        if value not in _STREAMS:
            raise _impossible(keyword, value, words)
        return value
    return _whole(keyword, value, 0, words)


def retry_exceptions(keyword: str, value: object) -> bool | tuple[type[Exception], ...]:
    """Take whether exceptions are retried, or the types of those that are."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, list | tuple):
        raise _wrong_type(keyword, value, "bool or a list of exception types")
    for place, kind in enumerate(value):
        if not isinstance(kind, type):
            raise _wrong_type(f"{keyword}[{place}]", kind, "an exception type")
        if not issubclass(kind, Exception):
            raise _impossible(keyword, kind.__name__, "a bool or a list of subclasses of Exception")
    return tuple(value)


def _env_vars(keyword: str, value: object) -> dict[str, str]:
    found = _named(keyword, value)
    for name, content in found.items():
        if not isinstance(content, str):
            raise _wrong_type(f"{keyword}[{name!r}]", content, "str")
        # Such variables make the process fail to start, long after the mistake.
        if "=" in name or "\0" in name + content:
            raise _impossible(f"{keyword}[{name!r}]", content, "names without '=' and texts without NUL")
    return {name: str(content) for name, content in found.items()}


def _folder(keyword: str, value: object) -> str:
    path = text(keyword, value)
    if not Path(path).is_dir():
        raise ValueError(
            f"The keyword {keyword} only accepts the path of an existing directory, but received {path!r}. "
            "Archives and addresses are not fetched: put the files where the actor's node can read them."
        )
    return str(Path(path).resolve())


def _named(keyword: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong_type(keyword, value, "dict")
    for name in value:
        if not isinstance(name, str):
            raise _wrong_type(f"{keyword}[{_shown(name)}]", name, "str as a name")
        if not name:
            raise _impossible(keyword, name, "names that are not empty")
    return value


def _whole(keyword: str, value: object, least: int, words: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(keyword, value, "int")
    if value < least:
        raise _impossible(keyword, value, words)
    if value > _LARGEST:
        raise _impossible(keyword, value, f"{words}, up to {_LARGEST}")
    return int(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong_type(keyword: str, value: object, wanted: str) -> TypeError:
    shown, default = _options_words(keyword)
    return TypeError(
        f"The type of keyword {shown} must be {wanted}{', or None for the default' if default else ''}, "
        f"but received type {type(value).__name__}: {_shown(value)}."
    )


def _impossible(keyword: str, value: object, words: str) -> ValueError:
    shown, default = _options_words(keyword)
    return ValueError(
        f"The keyword {shown} only accepts {'None, ' if default else ''}{words}, but received {_shown(value)}."
    )


def _options_words(keyword: str) -> tuple[str, bool]:
    """Return how an option is written, and whether None stands for its default: not for parts of an option."""
    return (repr(keyword), True) if keyword.isidentifier() else (keyword, False)


def _shown(value: object) -> str:
    # Above some thousand digits Python refuses to write a number; a long text would bury the advice.
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - the user's method may raise anything
        shown = f"<{type(value).__name__}>"
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
