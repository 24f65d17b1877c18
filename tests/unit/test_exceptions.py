"""The errors of the sdk: one tree, and errors that travel, whatever the user's exceptions inside them are like."""

import asyncio
import copy
import gc
import inspect
import pickle
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard import exceptions
from callboard.exceptions import ActorDiedError, RayError, RayTaskError, TaskCancelledError

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]
BY_MESSAGE = [cls for cls in CLASSES if cls.__init__ is not RayTaskError.__init__]
TEXT = "callboard::C.m() (pid=7, ip=10.0.0.1, actor_id=ab, repr=C)\n  File ...\nMyErr: boom"


class DemandingError(Exception):
    """Its constructor cannot be called with its args."""

    def __init__(self, code: int, place: str, *, urgent: bool) -> None:
        super().__init__(f"{code} at {place}")
        self.code = code
        self.urgent = urgent

    @property
    def doubled(self) -> int:
        return 2 * self.code


class SlottedError(Exception):
    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class OwnTextError(Exception):
    code = 5

    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")


class OwnReductionError(Exception):
    def __init__(self, code: int, more: str) -> None:
        super().__init__(more)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, "again")


class OwnLookupError(Exception):
    def __getattr__(self, name: str) -> Any:
        if name == "code":
            return 5
        raise AttributeError(name)


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int
    args: str  # type: ignore[assignment]  # shadows what every exception has


class NamesakesError(Exception):
    """It has fields of the same names as `RayTaskError`."""

    def __init__(self) -> None:
        super().__init__("boom")
        self.code = 5
        self.pid = "its own"

    @property
    def cause(self) -> str:
        return "its own"


class OnOSError(OSError):
    def __init__(self, code: int, path: str) -> None:
        super().__init__(2, "gone", path)
        self.code = code


class OnGroup(ExceptionGroup[Exception]):
    code = 5


class OuterError(Exception):
    def __init__(self, code: int, inner: Exception) -> None:
        super().__init__("outer", inner)
        self.code = code
        self.inner = inner


class ConstructingError(Exception):
    def __new__(cls, *args: object) -> Self:
        if len(args) != 1:
            raise RuntimeError("made in one way only")
        return super().__new__(cls, *args)

    code = 5


class FinalError(Exception):
    def __init_subclass__(cls) -> NoReturn:
        raise RuntimeError("not to be derived from")


class Quitting(BaseException):
    """No Exception."""

    code = 5


class Stopping(KeyboardInterrupt):
    """No Exception, and one that Python itself knows."""


JOINABLE: dict[str, Callable[[], BaseException]] = {
    "no Exception": lambda: Quitting("enough"),
    "a constructor that demands more": lambda: DemandingError(5, "home", urgent=True),
    "slots": lambda: SlottedError(5),
    "a text of its own that raises": lambda: OwnTextError("boom"),
    "a reduction of its own": lambda: OwnReductionError(5, "boom"),
    "attributes made up on the way": lambda: OwnLookupError("boom"),
    "a frozen dataclass": lambda: FrozenError(5, "mine"),
    "the names of our own fields": NamesakesError,
    "the fields of an OSError": lambda: OnOSError(5, "/nowhere"),
    "a group": lambda: OnGroup("several", [DemandingError(5, "home", urgent=True), KeyError("k")]),
    "an exception inside": lambda: OuterError(5, DemandingError(5, "home", urgent=True)),
    "a __new__ of its own": lambda: ConstructingError("boom"),
}
BUILT_IN: dict[str, tuple[Exception, str, object]] = {
    "StopIteration": (StopIteration(5), "value", 5),
    "KeyError": (KeyError("k"), "args", None),
    "FileNotFoundError": (FileNotFoundError(2, "gone", "f"), "filename", "f"),
    "UnicodeDecodeError": (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "end", 1),
    "ImportError": (ImportError("no", name="m"), "name", "m"),
    "TimeoutError": (TimeoutError("late"), "errno", None),
    "ExceptionGroup": (ExceptionGroup("several", [ValueError("x")]), "message", "several"),
}
UNJOINABLE: dict[str, BaseException] = {
    "KeyboardInterrupt": KeyboardInterrupt(),
    "SystemExit": SystemExit(3),
    "GeneratorExit": GeneratorExit(),
    "CancelledError": asyncio.CancelledError(),
    "BaseExceptionGroup": BaseExceptionGroup("several", [KeyboardInterrupt()]),
    "a kind of KeyboardInterrupt": Stopping(),
    "a class that cannot be derived from": FinalError("boom"),
    "Exception itself": Exception("boom"),
    "RayError itself": RayError("boom"),
}


def task(cause: BaseException) -> RayTaskError:
    """Return the plain error for a cause."""
    return RayTaskError("C.m", TEXT, cause, 7, "10.0.0.1", "ab")


def copies(error: RayTaskError) -> list[RayTaskError]:
    """Return what becomes of an error by each way of copying."""
    return [error, *(pickle.loads(pickle.dumps(error, n)) for n in (3, 5)), copy.copy(error), copy.deepcopy(error)]


def drawn_tree() -> dict[str, str]:
    """Read the tree at the top of the module as child -> parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        name = line.partition("(")[0].strip(" |+-")
        if not line.startswith("    ") or not name:
            continue
        depth = (len(line) - len(line.lstrip(" |+-"))) // 4 - 1
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_tree() -> None:
    """Every public class but the root stands under a class that it derives from directly."""
    parents = drawn_tree()
    assert parents.keys() == set(exceptions.__all__) - {"RayError"}
    for child, parent in parents.items():
        assert parent in {base.__name__ for base in getattr(exceptions, child).__bases__}


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_says_when_it_is_raised(cls: type[Exception]) -> None:
    """The docstring's first line is a sentence that says when."""
    first, *_ = inspect.cleandoc(cls.__doc__ or "").splitlines()
    assert first.startswith(("Raised when ", "Root of "))
    assert first.endswith(".")


@pytest.mark.parametrize("cls", BY_MESSAGE)
def test_an_error_survives_pickle_and_copy(cls: type[Exception]) -> None:
    """Class, text, attributes and notes arrive, for every public error."""
    error = cls("first", "second") if issubclass(cls, exceptions.RayActorError | TaskCancelledError) else cls("first")
    error.add_note("seen by actor a1")
    for found in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(found) is cls
        assert str(found) == str(error)
        assert vars(found) == vars(error)
    assert "first" in str(error) or "second" in str(error)


def test_an_actor_error_keeps_keywords_through_pickle() -> None:
    """Arguments that were given by name are not lost."""
    error = pickle.loads(pickle.dumps(ActorDiedError(error_msg="gone", actor_init_failed=True)))
    assert (error.actor_id, str(error), error.actor_init_failed, error.preempted) == (None, "gone", True, False)


def test_a_timeout_and_a_taken_name_are_caught_by_the_built_in_classes() -> None:
    """Programs need not know our classes to handle these."""
    assert issubclass(exceptions.GetTimeoutError, TimeoutError)
    assert issubclass(exceptions.ActorAlreadyExistsError, ValueError)
    assert issubclass(exceptions.ActorHandleNotFoundError, ValueError)


@pytest.mark.parametrize("like", JOINABLE)
def test_a4_an_error_is_an_instance_of_its_cause(like: str) -> None:
    """Whatever the user's class is like, the error is of it too, here and after pickle and copy."""
    cause = JOINABLE[like]()
    error = task(cause).as_instanceof_cause()
    assert error.cause is cause
    for found in copies(error):
        assert isinstance(found, type(cause))
        assert type(found) is type(error)
        assert type(found.cause) is type(cause)
        assert BaseException.args.__get__(found) == (found.cause,)  # type: ignore[attr-defined]  # a descriptor of C
        assert str(found) == TEXT
        assert (found.function_name, found.ip, found.actor_id) == ("C.m", "10.0.0.1", "ab")
        if like != "a group":
            assert found.code == found.cause.code == 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a4_fields_of_built_in_exceptions_are_there(name: str) -> None:
    """What built-in classes keep outside the dictionary is read through the error as well."""
    cause, field, expected = BUILT_IN[name]
    for found in copies(task(cause).as_instanceof_cause()):
        assert isinstance(found, type(cause))
        assert str(found.cause) == str(cause)
        if field != "args":
            assert getattr(found, field) == expected


@pytest.mark.parametrize("name", UNJOINABLE)
def test_a4_a_cause_that_cannot_be_joined_gives_the_plain_error(name: str) -> None:
    """The error is plain, an Exception, and has the cause."""
    cause = UNJOINABLE[name]
    error = task(cause)
    assert error.as_instanceof_cause() is error
    assert isinstance(error, Exception)
    for found in copies(error):
        assert type(found) is RayTaskError
        assert type(found.cause) is type(cause)
        assert str(found) == TEXT


def test_a4_the_order_of_bases_is_that_of_ray() -> None:
    """The class is named after the cause's and lies between `RayTaskError` and it."""
    cls = type(task(DemandingError(5, "home", urgent=True)).as_instanceof_cause())
    assert cls.__name__ == cls.__qualname__ == "RayTaskError(DemandingError)"
    assert cls.__mro__[1:5] == (RayTaskError, RayError, DemandingError, Exception)


def test_a4_attributes_and_methods_are_those_of_the_cause() -> None:
    """Fields, properties and methods answer, unknown names do not, and the cause's own fields come before ours."""
    error: Any = task(DemandingError(5, "home", urgent=True)).as_instanceof_cause()
    assert (error.code, error.urgent, error.doubled, error.pid) == (5, True, 10, 7)
    assert error.__cause__ is None
    with pytest.raises(AttributeError, match="missing"):
        _ = error.missing
    assert task(NamesakesError()).as_instanceof_cause().pid == "its own"  # type: ignore[comparison-overlap]


def test_a4_notes_and_new_attributes_belong_to_the_error() -> None:
    """What is added on the way is kept by pickle and does not reach the cause."""
    for error in (task(ValueError("boom")), task(ValueError("boom")).as_instanceof_cause()):
        error.add_note("seen by actor a1")
        found: Any = pickle.loads(pickle.dumps(error))
        assert found.__notes__ == ["seen by actor a1"]
        assert not hasattr(found.cause, "__notes__")


def test_a4_an_error_can_be_wrapped_by_its_own_class() -> None:
    """A program that adds words by ``type(error)(words)`` gets an error of both classes."""
    error = task(DemandingError(5, "home", urgent=True)).as_instanceof_cause()
    found = type(error)("more words")  # type: ignore[call-arg]  # the class made for the cause takes one
    assert isinstance(found, DemandingError)
    assert str(found) == "more words"


def test_a4_an_error_is_joined_once_per_class() -> None:
    """Two errors with causes of one class are of one class, and joining an error again changes nothing."""
    first, second = (task(SlottedError(n)).as_instanceof_cause() for n in (1, 2))
    assert type(first) is type(second)
    assert first.as_instanceof_cause() is first


def test_a4_a_class_is_not_kept_by_its_errors() -> None:
    """A class that came by value goes with its last error."""
    passing = type("PassingError", (Exception,), {})
    watched = weakref.ref(passing)
    error = task(passing("boom")).as_instanceof_cause()
    assert isinstance(error, passing)
    del passing, error
    # The class made for it goes in the first round, and only then nothing refers to the user's.
    gc.collect()
    gc.collect()
    assert watched() is None


def test_a4_except_star_takes_an_error_of_a_group_apart() -> None:
    """A joined group behaves as the group."""
    seen: list[type[BaseException]] = []
    try:
        raise task(ExceptionGroup("several", [ValueError("x"), KeyError("k")])).as_instanceof_cause()
    except* ValueError as group:
        seen += [type(member) for member in group.exceptions]
    except* KeyError as group:
        seen += [type(member) for member in group.exceptions]
    assert seen == [ValueError, KeyError]


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.tuples(st.floats(allow_nan=False)))))
def test_a4_any_arguments_survive(args: list[object]) -> None:
    """The cause that arrives has the arguments of the one that was raised, of whatever number and kind."""
    for cls in (ValueError, LookupError, ArithmeticError):
        found = pickle.loads(pickle.dumps(task(cls(*args)).as_instanceof_cause()))
        assert found.cause.args == tuple(args)
