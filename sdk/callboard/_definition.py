"""Definitions: what a handle must know of a class, and how classes and functions get to workers.

A definition is content-addressed and signed: the pickled class, its name, and a table of its methods' signatures, so
that a handle checks calls without having the class. That of a remote function has a table of what its workers need.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from callboard import _serde
from callboard_broker.envelope import TERMINATE, open_fields, seal_fields
from callboard_broker.errors import MalformedEntryError
from callboard_broker.operations import clients
from callboard_broker.wire import checked, mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._client import Client
    from callboard._serde import Parcel
    from callboard_broker.broker import Broker
    from callboard_broker.wire import Wire

#: Attribute that `callboard.method` leaves on a function: its options.
MARK: Final = "__callboard_method__"
_FIELDS: Final = ("class_name", "table")
_KINDS: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
#: What every object has; not `hasattr(object, ...)`, which also finds what every class has, such as ``__call__``.
_OF_OBJECTS: Final = frozenset(dir(object))

#: Methods that every actor has, beside its own and `TERMINATE`.
READY: Final = "__ray_ready__"
CALL: Final = "__ray_call__"

#: Method that a class may have, which runs when an actor of it ends without a crash.
HOOK: Final = "__ray_shutdown__"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a handle knows of a method.

    Attributes:
        name: Its name.
        parameters: Name, kind and whether there is a default, of all but ``self``; None when they cannot be told.
        options: What ``@method`` set, as far as the caller needs it.
    """

    name: str
    parameters: Sequence[Sequence[Any]] | None
    options: dict[str, Any] = field(default_factory=dict)
    #: Numbers of positional arguments that surely fit, so that the usual call needs no binding; (1, 0) for none.
    fits: tuple[int, int] = (1, 0)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check arguments against the signature.

        Raises:
            TypeError: They do not fit; the text is that of the call itself.
        """
        surely = not kwargs and self.fits[0] <= len(args) <= self.fits[1]
        if not surely and self.parameters is not None:
            _signature(tuple(map(tuple, self.parameters))).bind(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """What a handle knows of a class."""

    name: str
    sha: str
    methods: dict[str, MethodInfo]
    #: Calls of one caller start in the order of submission; not so for async and threaded actors.
    asynchronous: bool = False

    def method(self, name: str) -> MethodInfo | None:
        """Return a method that can be called, or None when there is none of that name."""
        return None if name == "__init__" else self.methods.get(name)


class ForgottenClass(ClassInfo):
    """What a handle knows of a class that nobody needs any more: every actor of it is dead, and any call says so."""

    __slots__ = ()

    def __init__(self, sha: str) -> None:
        super().__init__(
            "of a forgotten class", sha, read_table("", sha, {"methods": {}, "asynchronous": False}).methods
        )

    def method(self, name: str) -> MethodInfo | None:
        """Return a method that takes anything; Python's own names, which it looks for by itself, stay missing."""
        if name in self.methods or not name.startswith("__"):
            return MethodInfo(name, None, {}, (0, 1 << 30))
        return None


class DefinitionMissingError(MalformedEntryError):
    """Raised when a definition is not there (any more)."""


def describe(cls: type) -> dict[str, Any]:
    """Return the table of a class: what `ClassInfo` is made from, as JSON takes it."""
    methods: dict[str, Any] = {}
    asynchronous = False
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)
        if not callable(getattr(cls, name, None)) or isinstance(found, type) or name in _OF_OBJECTS:
            continue
        function = inspect.unwrap(getattr(cls, name))
        if name != HOOK:
            asynchronous |= inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        options = _options(function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            options.setdefault("num_returns", "streaming")
        methods[name] = {"parameters": _parameters(cls, name, found), "options": options}
    methods["__init__"] = {"parameters": _parameters(cls, "__init__", cls.__init__), "options": {}}  # type: ignore[misc]
    return {"methods": methods, "asynchronous": asynchronous}


def signature_of(function: Any) -> MethodInfo:
    """Return what is known of a function that is no method."""
    parameters = [_parameter(item) for item in inspect.signature(function).parameters.values()]
    return _method(function.__name__, {"parameters": parameters, "options": {}})


def _options(function: Any) -> dict[str, Any]:
    # What the worker needs it finds on the method itself.
    return {name: value for name, value in getattr(function, MARK, {}).items() if name != "retry_exceptions"}


def _parameters(cls: type, name: str, found: Any) -> list[Any] | None:
    if name == "__init__" and cls.__init__ is object.__init__:  # type: ignore[misc]
        return []
    try:
        function = found.__func__ if isinstance(found, classmethod | staticmethod) else getattr(cls, name)
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if not isinstance(found, staticmethod):
        parameters = parameters[1:]
    return [_parameter(item) for item in parameters]


def _parameter(item: inspect.Parameter) -> list[Any]:
    return [item.name, int(item.kind), item.default is not item.empty]


def read_table(name: str, sha: str, table: dict[str, Any]) -> ClassInfo:
    """Make a `ClassInfo` from what `describe` made."""
    methods = {method: _method(method, about) for method, about in table["methods"].items()}
    own = {
        TERMINATE: MethodInfo(TERMINATE, (), {}, (0, 0)),
        READY: MethodInfo(READY, (), {}, (0, 0)),
        CALL: MethodInfo(CALL, None, {}, (1, 1 << 30)),
    }
    return ClassInfo(name, sha, {**own, **methods}, bool(table["asynchronous"]))


def _method(name: str, about: dict[str, Any]) -> MethodInfo:
    parameters = about["parameters"]
    if parameters is None:
        return MethodInfo(name, None, about["options"], (0, 1 << 30))
    kinds = [(_KINDS[kind], has_default) for _, kind, has_default in parameters]
    positional = [has_default for kind, has_default in kinds if kind in _POSITIONAL]
    needed = positional.count(False)
    most = 1 << 30 if any(kind is inspect.Parameter.VAR_POSITIONAL for kind, _ in kinds) else len(positional)
    if (inspect.Parameter.KEYWORD_ONLY, False) in kinds:
        needed, most = 1, 0
    return MethodInfo(name, parameters, about["options"], (needed, most))


# Made when a call first needs it: a worker, which reads the table of its own class, never does.
@lru_cache(1024)
def _signature(parameters: tuple[tuple[str, int, bool], ...]) -> inspect.Signature:
    return inspect.Signature(
        [
            inspect.Parameter(name, _KINDS[kind], default=None if has_default else inspect.Parameter.empty)
            for name, kind, has_default in parameters
        ]
    )


def pack_class(cls: type) -> Parcel:
    """Pickle a class.

    Raises:
        TypeError: It cannot be pickled, or is abstract.
    """
    lacking = sorted(getattr(cls, "__abstractmethods__", ()))
    if lacking:
        raise TypeError(
            f"an actor of the abstract class {cls.__qualname__} cannot be created: it lacks the "
            f"method{'s' * (len(lacking) > 1)} {', '.join(map(repr, lacking))}"
        )
    try:
        return _serde.pack(cls)
    except Exception as error:
        raise TypeError(
            f"the class {cls.__qualname__} cannot be pickled: {error}. Create what cannot be pickled (locks, "
            "connections, open files) in its __init__, and do not refer to it from its methods as a global."
        ) from error


class Definition:
    """A class or a function of this process, ready to be published: once per client.

    Args:
        name: Of the class or the function.
        parcel: It, pickled.
        table: What else is to be known, as JSON takes it.
    """

    def __init__(self, name: str, parcel: Parcel, table: dict[str, Any]) -> None:
        self.parcel = parcel
        self.table = json.dumps(table, separators=(",", ":")).encode()
        digest = hashlib.sha256(self.table)
        digest.update(self.parcel.body)
        self.sha = digest.hexdigest()
        self.name = name

    @cached_property
    def info(self) -> ClassInfo:
        """Return what a handle needs to know of a class."""
        return read_table(self.name, self.sha, json.loads(self.table))

    def publish(self, client: Client) -> None:
        """Send the definition, unless this client has already done so."""
        if self.sha in client.defined:
            return
        client.defined.add(self.sha)
        signer = client.broker.signer("class", self.sha)
        fields = seal_fields(signer, _FIELDS, [self.name.encode(), self.table], self.parcel.body)
        client.outbound.post(clients.define(client.keys, client.id, self.sha, fields))


def fetch(broker: Broker, wire: Wire, sha: str) -> tuple[ClassInfo, bytes]:
    """Read and verify the definition of a class.

    Returns:
        What a handle needs, and the pickled class.

    Raises:
        DefinitionMissingError: It is missing.
        MalformedEntryError: It is not a definition.
        ForgedEntryError: It is not signed with our key.
    """
    stored = mapping(checked(wire.call("HGETALL", broker.keys.definition(sha))))
    name, table, body = opened(broker, stored, sha)
    return read_table(name, sha, table), body


def opened(broker: Broker, stored: dict[str, bytes], sha: str) -> tuple[str, dict[str, Any], bytes]:
    """Verify a definition; return name, table and the pickled class or function. Raises as `fetch` does."""
    if not stored:
        raise DefinitionMissingError(f"the definition {sha} is not there: it was deleted, or Redis lost it")
    body = open_fields(broker.signer("class", sha), _FIELDS, stored, f"the definition {sha}")
    return stored["class_name"].decode(), json.loads(stored["table"]), body
