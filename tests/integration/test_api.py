"""A1 and A2: joining and leaving, actor classes and their methods."""

import os
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support import leaks
from tests.support.holding import BOUND
from tests.support.looking import gone, wait_for_end
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.surface import Base, Derived, Plain, Unfinished
from tests.support.waiting import wait_until

import callboard
from callboard import _session


@pytest.fixture
def derived(ray: ModuleType) -> Any:
    """Create an actor."""
    return ray.remote(Derived).remote(1)


@pytest.fixture
def no_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a program that was told of no callboard."""
    before = leaks.snapshot()
    monkeypatch.delenv("CALLBOARD_ADDRESS", raising=False)
    yield
    callboard.shutdown()
    leaks.check(before)


def test_a1_init_twice_is_an_error(ray: ModuleType) -> None:
    """Unless that is to be ignored; then the first one stays."""
    with pytest.raises(RuntimeError, match="ignore_reinit_error"):
        ray.init()
    client = ray.get_runtime_context().get_worker_id()
    context = ray.init("redis://nowhere:1", namespace="another", ignore_reinit_error=True)
    assert context.client_id == ray.get_runtime_context().get_worker_id() == client
    assert context.namespace == ray.get_runtime_context().namespace
    assert ray.get(ray.remote(Plain).remote().value.remote(1), timeout=BOUND) == 1


def test_a1_init_refuses_what_it_does_not_know(on_stage: Stage) -> None:
    """An unknown argument, an unknown setting, and an address of no kind that it knows are named; nothing is joined."""
    with pytest.raises(ValueError, match="num_bananas"):
        callboard.init(on_stage.address, num_bananas=1)
    with pytest.raises(ValueError, match="banana_timeout"):
        callboard.init(on_stage.address, _system_config={"banana_timeout": 1})
    with pytest.raises(ValueError, match="ftp"):
        callboard.init("ftp://nowhere")
    assert not callboard.is_initialized()


def test_a1_first_use_joins(on_stage: Stage) -> None:
    """Creating an actor, or looking one up, joins the callboard of the environment without `init`."""
    assert not callboard.is_initialized()
    with pytest.raises(ValueError, match="nobody"):
        callboard.get_actor("nobody")
    assert callboard.is_initialized()
    callboard.shutdown()
    actor: callboard.ActorHandle = callboard.remote(Plain).remote()
    assert callboard.get(actor.value.remote(1), timeout=BOUND) == 1
    assert on_stage.wire.call("SCARD", on_stage.broker.keys.clients)


def test_a1_shutdown_may_be_repeated(ray: ModuleType) -> None:
    """It leaves; a second one does nothing, nor does one without a callboard; another `init` joins again."""
    ray.shutdown()
    ray.shutdown()
    assert not ray.is_initialized()
    with ray.init(namespace="again") as context:
        assert ray.is_initialized()
        assert context.address == context.address_info["address"] == os.environ["CALLBOARD_ADDRESS"]
    assert not ray.is_initialized()


def test_a1_shutdown_ends_the_actors_of_this_driver(ray: ModuleType, tmp_path: Path) -> None:
    """Not the detached ones; handles and references do not matter."""
    notes, kept = Notes(tmp_path / "notes"), Notes(tmp_path / "kept")
    actor = ray.remote(Mortal).remote(str(notes.path))
    detached = ray.remote(Mortal).options(name="it", namespace="a1", lifetime="detached").remote(str(kept.path))
    ray.get([actor.pid.remote(), detached.pid.remote()], timeout=BOUND)
    ray.shutdown()
    wait_for_end(notes.pid)
    assert notes.lines()[-2:] == ["hook on the main thread", "atexit"]
    assert not gone(kept.pid)
    ray.init()
    ray.kill(ray.get_actor("it", "a1"))


def test_a1_what_was_there_before_shutdown_says_so(ray: ModuleType, tmp_path: Path) -> None:
    """Calls, `kill`, results that have not come, and passing such things on raise clear errors."""
    actor = ray.remote(Plain).remote()
    done, open_ref = actor.value.remote("done"), actor.wait_for.remote(str(tmp_path / "gate"))
    waiting, behind = open_ref.future(), actor.value.remote(open_ref)
    ray.get(done, timeout=BOUND)
    ray.shutdown()
    with pytest.raises(ray.exceptions.RayError, match=r"after shutdown\(\)"):
        actor.value.remote(1)
    with pytest.raises(ray.exceptions.RayError, match=r"after shutdown\(\)"):
        ray.kill(actor)
    with pytest.raises(ray.exceptions.RayError, match=r"after shutdown\(\)"):
        actor.__ray_terminate__.remote()
    with pytest.raises(ray.exceptions.RayError, match=r"shutdown\(\)"):
        ray.get(open_ref)
    with pytest.raises(ray.exceptions.RayError, match=r"shutdown\(\)"):
        ray.get(behind)
    for future in (waiting, open_ref.future()):
        with pytest.raises(ray.exceptions.RayError, match=r"shutdown\(\)"):
            future.result(timeout=BOUND)
    assert ray.get(done) == "done"
    assert not ray.is_initialized()
    ray.init()
    successor = ray.remote(Plain).remote()
    for thing in (actor, [actor], [open_ref], [done]):
        with pytest.raises((TypeError, ray.exceptions.RayError), match=r"shutdown\(\)"):
            successor.value.remote(thing)
    with pytest.raises(ray.exceptions.RayError, match=r"after shutdown\(\)"):
        actor.value.remote(1)
    assert ray.get(successor.value.remote(done), timeout=BOUND) == "done"


def test_a1_shutdown_in_one_thread_fails_what_another_waits_for(ray: ModuleType, tmp_path: Path) -> None:
    """It does not wait for ever."""
    ref = ray.remote(Plain).remote().wait_for.remote(str(tmp_path / "gate"))
    errors: list[BaseException] = []

    def read() -> None:
        try:
            ray.get(ref)
        except ray.exceptions.RayError as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    session = _session.current()
    assert session is not None
    wait_until(session.client.inbox._leading.locked, what="the thread to wait")
    ray.shutdown()
    thread.join(timeout=BOUND)
    assert len(errors) == 1
    assert "shutdown()" in str(errors[0])


def test_a1_inside_an_actor_the_callboard_is_joined_already(ray: ModuleType) -> None:
    """`init` there is the error that it is in a driver that has joined, or is ignored; the actor stays who it is."""

    def join(_self: Any, **options: Any) -> Any:
        context = callboard.init(**options)
        return callboard.is_initialized(), context.client_id, callboard.get_runtime_context().get_worker_id()

    actor = ray.remote(Plain).remote()
    with pytest.raises(RuntimeError, match="ignore_reinit_error"):
        ray.get(actor.__ray_call__.remote(join), timeout=BOUND)
    initialized, joined, worker = ray.get(actor.__ray_call__.remote(join, ignore_reinit_error=True), timeout=BOUND)
    assert initialized
    assert joined == worker != ray.get_runtime_context().get_worker_id()


def test_a1_a_program_without_address_has_a_callboard_of_its_own(no_address: None) -> None:
    """Server, supervisor and workers end with it."""
    del no_address
    with callboard.init(num_cpus=2, resources={"thing": 1}):
        actor: callboard.ActorHandle = callboard.remote(resources={"thing": 1})(Mortal).remote("/dev/null")
        pid = callboard.get(actor.__ray_call__.remote(lambda _: os.getpid()), timeout=BOUND)
        assert not gone(pid)
    wait_for_end(pid)


@pytest.mark.parametrize(
    "make",
    [
        lambda ray: ray.remote(Derived),
        lambda ray: ray.remote(max_restarts=1, num_cpus=0)(Derived),
        lambda ray: ray.remote(Derived).options(max_task_retries=2),
        lambda ray: ray.remote(Derived).options(max_restarts=1).options(max_concurrency=None),
    ],
)
def test_a2_ways_to_make_an_actor(ray: ModuleType, make: Any) -> None:
    """`@remote` with and without options, `remote(Cls)`, and `.options`, all with `.remote`."""
    actor = make(ray).remote("first", "second", "third", only="only", other="other")
    expected = ("first", "second", ("third",), "only", {"other": "other"})
    assert ray.get(actor.told.remote(), timeout=BOUND) == expected


def test_a2_what_remote_refuses(ray: ModuleType) -> None:
    """Values, no options, positional options, and what is an actor class already are TypeErrors that say how."""
    for wrong in (
        lambda: ray.remote(5),
        ray.remote,
        lambda: ray.remote(Base, 5),
        lambda: ray.remote(5)(Base),
    ):
        with pytest.raises(TypeError, match="remote"):
            wrong()
    with pytest.raises(TypeError, match="ActorClass"):
        ray.remote(ray.remote(Base))
    for options in ({"max_restart": 1}, {"max_restarts": -2}, {"lifetime": "for ever"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            ray.remote(**options)(Base)
        with pytest.raises(ValueError, match=next(iter(options))):
            ray.remote(Base).options(**options)


def test_a2_calling_without_remote_is_an_error(ray: ModuleType, derived: Any) -> None:
    """A TypeError with the right spelling, for the class and for a method."""
    with pytest.raises(TypeError, match=r"'Derived\.remote\(\)'"):
        ray.remote(Derived)(1)
    with pytest.raises(TypeError, match=r"'object\.who\.remote\(\)'"):
        derived.who()


def test_a2_methods_of_all_kinds(ray: ModuleType, derived: Any) -> None:
    """Inherited, overridden, static, of the class, private, and those with names that Python uses."""
    calls = {
        derived.who: "derived from base",
        derived.inherited: "derived from base of Derived",
        derived._private: "private",
        derived.class_name: "Derived!",
        derived.__len__: 3,
        derived.mro: "mine",
    }
    assert ray.get([method.remote() for method in calls], timeout=BOUND) == list(calls.values())
    assert ray.get(derived.static.remote(4), timeout=BOUND) == 8
    assert ray.get(derived.class_name.remote(suffix="?"), timeout=BOUND) == "Derived?"
    assert ray.get(derived.__call__.remote(4), timeout=BOUND) == 5


def test_a2_arguments_of_all_kinds(ray: ModuleType, derived: Any) -> None:
    """Defaults, positional, by keyword, and any number of both."""
    assert ray.get(derived.echo.remote(1), timeout=BOUND) == (1, 2, (), None, {})
    assert ray.get(derived.echo.remote(1, second=5, only=6, x=7), timeout=BOUND) == (1, 5, (), 6, {"x": 7})
    assert ray.get(derived.echo.remote(1, 3, 4, 5, first=6), timeout=BOUND) == (1, 3, (4, 5), None, {"first": 6})
    assert ray.get(derived.needs.remote(1, key=2), timeout=BOUND) == (1, 2)
    assert ray.get(derived.told.remote(), timeout=BOUND) == (1, "default", (), None, {})


def test_a2_wrong_arguments_are_errors_of_remote(ray: ModuleType, derived: Any) -> None:
    """TypeErrors in the text of the call itself, for methods and for the constructor; nothing is sent."""
    with pytest.raises(TypeError, match="missing a required argument: 'first'"):
        derived.echo.remote()
    with pytest.raises(TypeError, match="too many positional arguments"):
        derived.who.remote(1)
    with pytest.raises(TypeError, match="too many positional arguments"):
        derived.needs.remote(1, 2)
    with pytest.raises(TypeError, match=r"missing a required.*argument: 'key'"):
        derived.needs.remote(1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        derived.static.remote(1, wrong=1)
    with pytest.raises(TypeError, match="multiple values for argument 'number'"):
        derived.static.remote(1, number=1)
    with pytest.raises(TypeError, match="missing a required argument: 'first'"):
        ray.remote(Derived).remote()
    with pytest.raises(TypeError, match="too many positional arguments"):
        ray.remote(Plain).remote(1)
    with pytest.raises(TypeError, match=r"Unfinished.*method 'finish'"):
        ray.remote(Unfinished).remote()
    with pytest.raises(TypeError, match="positional"):
        derived.__ray_ready__.remote(1)


def test_a8_the_modules_of_ray_are_there_after_one_import(ray: ModuleType) -> None:
    """`ray.util`, `ray.actor` and `ray.exceptions` need no import of their own."""
    code = "import callboard as ray; print(ray.util.list_named_actors.__name__, ray.actor.exit_actor.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["list_named_actors", "exit_actor"]
    assert ray.util.list_named_actors() == []


def test_a2_what_is_no_method_is_missing(derived: Any) -> None:
    """AttributeErrors that name the class: unknown names, fields, constants, properties."""
    for name in ("unknown", "given", "constant", "length", "remote", "__eq"):
        with pytest.raises(AttributeError, match=f"Derived has no method '{name}'"):
            getattr(derived, name)
    assert not hasattr(derived, "unknown")
    with pytest.raises(AttributeError, match="field"):
        derived.field = 1


def test_a2_methods_that_every_actor_has(ray: ModuleType, derived: Any) -> None:
    """`__ray_ready__` is true when the constructor has run, `__ray_call__` runs a function on the actor."""
    assert ray.get(derived.__ray_ready__.remote(), timeout=BOUND) is True

    def change(self: Derived, *values: Any, key: Any) -> Any:
        self.given = (*values, key)
        return self.who()

    assert ray.get(derived.__ray_call__.remote(change, 1, 2, key=3), timeout=BOUND) == "derived from base"
    assert ray.get(derived.told.remote(), timeout=BOUND) == (1, 2, 3)


def test_a2_inheriting_from_an_actor_class_is_an_error(ray: ModuleType) -> None:
    """It says to inherit from the plain class."""
    base = ray.remote(Base)
    with pytest.raises(ray.exceptions.ActorClassInheritanceException, match="plain class") as caught:
        types.resolve_bases((base,))
    assert isinstance(caught.value, TypeError)


def test_a2_a_class_that_cannot_be_pickled_is_an_error(ray: ModuleType) -> None:
    """A TypeError from `.remote()` that names the class and the cure."""
    lock = threading.Lock()

    class Locked:
        def use(self) -> None:
            with lock:
                pass

    with pytest.raises(TypeError, match=r"Locked cannot be pickled.*__init__"):
        ray.remote(Locked).remote()


def test_a2_an_actor_class_travels(ray: ModuleType) -> None:
    """It can be passed to an actor, which makes actors of it, and is named and documented like its class."""
    cls = ray.remote(max_restarts=1)(Derived)
    assert cls.__doc__ == Derived.__doc__
    assert cls.__name__ == "Derived"

    def make(_self: Any, passed: Any) -> Any:
        return callboard.get(passed.remote(5).told.remote(), timeout=10)[0]

    assert ray.get(ray.remote(Plain).remote().__ray_call__.remote(make, cls), timeout=BOUND) == 5
