"""Outcomes and errors: what a worker writes when a method raised, and what its caller gets."""

import asyncio
import pickle
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard import _failures, _holding, _serde
from callboard.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    RayError,
    RaySystemError,
    RayTaskError,
    TaskCancelledError,
)
from callboard_broker import deaths, verdicts
from callboard_broker.records import ActorRecord

ACTOR = "0123456789abcdef" * 2
RECORD = ActorRecord(actor_id=ACTOR, class_name="Counter", pid=4711, name="c1", namespace="main")
HEADER = f"callboard::Counter.add() (pid=7, ip=10.0.0.1, actor_id={ACTOR}, repr=Counter(3))"


class DemandingError(Exception):
    """Its constructor cannot be called with its args."""

    def __init__(self, code: int, place: str) -> None:
        super().__init__(f"{code} at {place}")
        self.code = code


class UnpickledError(Exception):
    """It is pickled, and then cannot be unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


class ChangingError(Exception):
    """What is unpickled is no exception."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("1",)


class MuteError(Exception):
    """Nothing of it can be shown or pickled."""

    def __repr__(self) -> NoReturn:
        raise RuntimeError("no repr")

    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")

    def __reduce__(self) -> NoReturn:
        raise RuntimeError("no pickle")


def caught(raising: Callable[[], object]) -> BaseException:
    """Return what a call raises, as the worker catches it."""
    try:
        raising()
    except BaseException as error:  # noqa: BLE001 - as the worker does
        return error
    raise AssertionError("nothing was raised")


def packed(error: BaseException, actor_id: str = ACTOR) -> bytes:
    """Return the body that a worker makes."""
    return _failures.pack_exception(
        error, function="Counter.add", actor_id=actor_id, pid=7, host="10.0.0.1", shown="Counter(3)"
    )


def arrived(error: BaseException) -> RayTaskError:
    """Return what a caller gets."""
    return _failures.from_task(packed(error))


def a_users_method() -> NoReturn:
    """Raise as a method of a user's would."""
    raise DemandingError(5, "home")


def test_a4_the_text_has_the_place_the_users_frames_and_the_exception() -> None:
    """The first line says where it ran, the last what was raised, and what is between is the user's."""
    first, *frames, last = str(arrived(caught(a_users_method))).splitlines()
    assert first == HEADER
    assert last.endswith("DemandingError: 5 at home")
    assert any("in a_users_method" in line for line in frames)
    assert "Traceback" not in "".join(frames)


def test_a4_a_remote_function_has_no_actor_in_its_text() -> None:
    """Without an actor neither its id nor its repr is told."""
    text = str(_failures.from_task(packed(caught(a_users_method), actor_id="")))
    assert text.startswith("callboard::Counter.add() (pid=7, ip=10.0.0.1)\n")


def test_a4_our_own_frames_are_left_out_of_every_part() -> None:
    """Frames of callboard's packages do not show, neither in the exception nor in what caused it."""
    ours: dict[str, Any] = {}
    code = "def run(f):\n    try:\n        f()\n    except Exception as e:\n        raise LookupError('x') from e\n"
    exec(compile(code, str(Path(_failures.__file__).parent / "worker" / "_made_up.py"), "exec"), ours)
    text = str(arrived(caught(lambda: ours["run"](a_users_method))))
    assert "_made_up" not in text
    assert "in a_users_method" in text
    assert "DemandingError: 5 at home" in text
    assert text.splitlines()[-1] == "LookupError: x"


def test_a4_what_arrives_is_an_instance_of_what_was_raised() -> None:
    """The class, its fields and where it ran are there."""
    error: Any = arrived(caught(a_users_method))
    assert isinstance(error, DemandingError)
    assert isinstance(error, RayTaskError)
    assert type(error.cause) is DemandingError
    assert (error.code, error.function_name, error.pid, error.ip, error.actor_id) == (
        5, "Counter.add", 7, "10.0.0.1", ACTOR,
    )  # fmt: skip


@pytest.mark.parametrize(
    "cause",
    [
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseExceptionGroup("g", [SystemExit()]),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_a4_what_is_no_exception_arrives_as_one(cause: BaseException) -> None:
    """No method can interrupt or end its caller by what it raises."""
    error = arrived(cause)
    assert type(error) is RayTaskError
    assert isinstance(error, Exception)
    assert type(error.cause) is type(cause)


@pytest.mark.parametrize("cause", [StopIteration(5), StopAsyncIteration(), TimeoutError("late"), OSError(2, "gone")])
def test_a4_exceptions_with_a_meaning_of_their_own_arrive(cause: Exception) -> None:
    """They are instances of their class, and their fields are there."""
    error = arrived(cause)
    assert isinstance(error, type(cause))
    assert error.cause.args == cause.args


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (ValueError(threading.Lock()), "cannot pickle '_thread.lock' object. It was: ValueError(<unlocked"),
        (UnpickledError(), "invalid literal for int() with base 10: 'no number'. It was: UnpickledError()"),
        (ChangingError(), "an exception was expected and int was found"),
        (MuteError(), "RuntimeError: no pickle. It was: <test_failures.MuteError, whose repr fails>"),
    ],
    ids=["unpicklable", "not unpicklable", "unpickled as another", "mute"],
)
def test_a4_what_cannot_be_pickled_arrives_as_text(cause: Exception, why: str) -> None:
    """The error is plain, has the remote text, and its cause says what could not be pickled and why."""
    error = arrived(cause)
    assert type(error) is RayTaskError
    assert type(error.cause) is RayError
    assert str(error.cause).startswith(
        f"Exception {type(cause).__module__}.{type(cause).__qualname__} isn't serializable: "
    )
    assert why.replace("test_failures", type(cause).__module__) in str(error.cause)
    assert str(error).startswith(HEADER)
    assert type(cause).__name__ in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a4_a_class_that_is_missing_at_the_caller_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text stays whole and says which class could not be loaded, why, and the cure."""
    module = types.ModuleType("only_at_the_worker")
    exec("class FarError(Exception):\n    pass\n", vars(module))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        body = packed(caught(lambda: (_ for _ in ()).throw(module.FarError("boom"))))
    error = _failures.from_task(body)
    assert type(error) is RayTaskError
    assert type(error.cause) is RayError
    assert str(error).startswith(HEADER)
    assert "only_at_the_worker.FarError: boom" in str(error)
    assert (
        "Exception only_at_the_worker.FarError could not be loaded in this process: "
        "ModuleNotFoundError: No module named 'only_at_the_worker'. Make the module that defines it importable here"
    ) in str(error)


def test_a4_an_error_read_inside_a_method_keeps_its_cause() -> None:
    """The outer caller catches the innermost class, and the text has both places."""
    inner = arrived(caught(a_users_method))

    def outer_method() -> NoReturn:
        raise inner

    outer: Any = _failures.from_task(
        _failures.pack_exception(
            caught(outer_method), function="Front.ask", actor_id="f" * 32, pid=8, host="10.0.0.2", shown="Front"
        )
    )
    assert (type(outer.cause), outer.code) == (DemandingError, 5)
    assert isinstance(outer, DemandingError)
    text = str(outer)
    assert text.startswith("callboard::Front.ask() (pid=8")
    assert text.index("in outer_method") < text.index(HEADER) < text.index("in a_users_method")
    assert text.endswith("DemandingError: 5 at home")


def test_h4_handles_in_an_exception_are_carried() -> None:
    """What the exception carries is named in the parcel, so that it can be lent."""
    hold: Any = object.__new__(_holding.Hold)

    class CarryingError(Exception):
        def __reduce__(self) -> tuple[Any, ...]:
            parcel = _serde.parcel_being_packed()
            assert parcel is not None
            parcel.actors[ACTOR] = hold
            return ValueError, ("carried",)

    parcel = _failures.exception_parcel(
        CarryingError(), function="Counter.add", actor_id=ACTOR, pid=7, host="10.0.0.1", shown="Counter(3)"
    )
    assert parcel.targets == [f"a:{ACTOR}"]


@given(text=st.text(), function=st.text(), shown=st.text(), pid=st.integers(0, 2**31))
def test_a4_any_text_arrives(text: str, function: str, shown: str, pid: int) -> None:
    """Whatever characters an exception has, its text and its class arrive."""
    body = _failures.pack_exception(ValueError(text), function=function, actor_id=ACTOR, pid=pid, host="h", shown=shown)
    error = _failures.from_task(body)
    assert isinstance(error, ValueError)
    assert error.cause.args == (text,)
    assert str(error).startswith(f"callboard::{function}() (pid={pid}, ip=h, actor_id={ACTOR}, repr={shown})")


def test_a_death_is_told_in_rays_words() -> None:
    """The lines are those of Ray, and the id can be read from the error."""
    error = _failures.from_json(deaths.STATUS_DIED, verdicts.died(RECORD, deaths.killed()))
    assert type(error) is ActorDiedError
    assert str(error).splitlines() == [
        "The actor died unexpectedly before finishing this task.",
        "\tclass_name: Counter",
        f"\tactor_id: {ACTOR}",
        "\tpid: 4711",
        "\tname: c1",
        "\tnamespace: main",
        deaths.killed().message,
    ]
    assert (error.actor_id, error.actor_init_failed, error.preempted) == (ACTOR, False, False)


def test_k6_an_actor_that_never_ran_has_no_process_in_its_text() -> None:
    """Lines for what there is not are left out, and the last one says that it never ran."""
    record = ActorRecord(actor_id=ACTOR, class_name="Counter")
    body = verdicts.died(record, replace(deaths.killed(), never_started=True))
    assert str(_failures.from_json(deaths.STATUS_DIED, body)).splitlines()[1:] == [
        "\tclass_name: Counter",
        f"\tactor_id: {ACTOR}",
        deaths.killed().message,
        "The actor never ran - it was cancelled before it started running.",
    ]


def test_x6_a_failed_constructor_is_told_with_its_traceback() -> None:
    """The error says that the constructor raised and shows the original text."""
    text = _failures.remote_text(
        caught(a_users_method), function="Counter.__init__", actor_id=ACTOR, pid=7, host="10.0.0.1", shown="Counter"
    )
    error = _failures.from_json(deaths.STATUS_DIED, verdicts.died(RECORD, deaths.creation_failed(text)))
    assert type(error) is ActorDiedError
    assert error.actor_init_failed
    assert error.actor_id == ACTOR
    assert str(error) == f"The actor died because of an error raised in its creation task, {text}"
    assert "callboard::Counter.__init__() (pid=7" in str(error)
    assert str(error).endswith("DemandingError: 5 at home")


def test_r4_an_unavailable_actor_is_told_with_the_doubt() -> None:
    """The text says that the call may or may not have run."""
    body = verdicts.unavailable(ACTOR, "its process was killed by SIGKILL")
    error = _failures.from_json(deaths.STATUS_UNAVAILABLE, body)
    assert type(error) is ActorUnavailableError
    assert error.actor_id == ACTOR
    assert str(error) == (
        f"The actor {ACTOR} is unavailable: its process was killed by SIGKILL. "
        "The task may or may not have been executed on the actor."
    )


def test_c6_a_cancelled_call_is_told() -> None:
    """The error names the call."""
    error = _failures.from_json(deaths.STATUS_CANCELLED, verdicts.cancelled("c1/5"))
    assert type(error) is TaskCancelledError
    assert error.task_id == "c1/5"
    assert str(error) == "Task: c1/5 was cancelled."


@given(
    message=st.text(),
    pid=st.integers(0, 2**31),
    name=st.text(),
    reason=st.sampled_from(deaths.Reason),
    never=st.booleans(),
)
def test_what_is_told_of_a_death_is_read_again(
    message: str, pid: int, name: str, reason: deaths.Reason, never: bool
) -> None:
    """Whatever the record and the cause are, the verdict gives them back."""
    cause = deaths.DeathCause(reason, message, never_started=never)
    read = verdicts.Died.read(verdicts.died(replace(RECORD, pid=pid, name=name), cause))
    assert read == verdicts.Died(ACTOR, "Counter", pid, name, "main", cause)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (b"eaten", b"{}"),
        (deaths.STATUS_DIED, b""),
        (deaths.STATUS_DIED, b"\xff"),
        (deaths.STATUS_DIED, b"[]"),
        (deaths.STATUS_DIED, b"{}"),
        (deaths.STATUS_DIED, b'{"reason": "BOREDOM", "message": ""}'),
        (deaths.STATUS_DIED, b'{"reason": "RAY_KILL", "message": "", "actor_id": "a"}'),
        (deaths.STATUS_DIED, b'{"reason": "RAY_KILL", "message": "", "weather": "fine"}'),
        (deaths.STATUS_UNAVAILABLE, b'{"actor_id": "a"}'),
        (deaths.STATUS_CANCELLED, b'{"call": 5}'),
    ],
)
def test_an_outcome_that_cannot_be_read_is_an_error_that_says_so(status: bytes, body: bytes) -> None:
    """The caller of `get` gets an error that names the status and the cure, never a KeyError."""
    error = _failures.from_json(status, body)
    assert type(error) is RaySystemError
    assert repr(status.decode()) in str(error)
    assert "Run the same version of callboard" in str(error)


def test_a_value_is_unpacked() -> None:
    """What was packed is returned."""
    assert _failures.unpacked(_serde.pack({"a": [1, 2]}).body) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("body", "cause", "words"),
    [
        (b"cnot_here_at_all\nThing\n.", ModuleNotFoundError, r"No module named 'not_here_at_all'\. Make the module"),
        (b"cthreading\nThing\n.", AttributeError, r"Thing.*Make the module"),
        (b"cbuiltins\nint\n(S'x'\ntR.", ValueError, r"invalid literal.*Whatever it needs"),
    ],
)
def test_a_value_that_cannot_be_loaded_names_what_is_missing(body: bytes, cause: type[Exception], words: str) -> None:
    """The error says what could not be loaded and what to do, and has the original behind it."""
    with pytest.raises(RaySystemError, match=words) as raised:
        _failures.unpacked(body)
    assert type(raised.value.__cause__) is cause
