"""O: owners, detached actors, and callers that die."""

import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.company import Keeper, Maker
from tests.support.drivers import OtherDriver, other_driver
from tests.support.holding import BOUND, ENDED
from tests.support.looking import gone, state, wait_for_death, wait_for_end, wait_for_restart
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

OWNER_DIED = "its owner has died"
#: Ends of an owner that are no crash: its actors run their hooks.
NORMAL = ("out of scope", "terminate", "exit_actor", "sys.exit(0)")
#: Ends that are crashes for sure.
CRASHES = ("kill", "SIGKILL", "os._exit(7)")


def keeper(ray: ModuleType, notes: Notes, **options: Any) -> Any:
    """Create an actor that can own others."""
    return ray.remote(Keeper).options(**options).remote(f"{notes.path}-of-the-owner")


def owner_of(stage: Stage, handle: Any) -> str:
    """Return who owns an actor, as its record says."""
    owner = stage.wire.call("HGET", stage.broker.keys.actor(handle._actor_id), "owner")
    assert isinstance(owner, bytes)
    return owner.decode()


def end(ray: ModuleType, owners: list[Any], way: str) -> None:
    """End the owner, of which the list has the only handle, in some way."""
    if way == "kill":
        ray.kill(owners[0])
    elif way == "terminate":
        owners[0].__ray_terminate__.remote()
    elif way != "out of scope":
        owners[0].die.remote("die", way)
    owners.clear()


def test_o1_the_owner_is_who_created(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """That is the driver or an actor's worker, wherever the handle is passed; who merely holds it may die."""
    mine, holder = ray.remote(Mortal).remote(str(notes.path)), keeper(ray, notes)
    ray.get(holder.keep.remote(mine), timeout=BOUND)
    child = ray.get(holder.make.remote(f"{notes.path}-of-the-child"), timeout=BOUND)
    assert owner_of(on_stage, mine) == ray.get_runtime_context().get_worker_id()
    assert owner_of(on_stage, child).startswith(f"{holder._actor_id}.")
    ray.kill(holder)
    assert wait_for_death(child)["reason"] == "OWNER_DIED"
    assert ray.get(mine.note.remote("lives on"), timeout=BOUND) == "lives on"


@pytest.mark.parametrize(
    ("way", "max_restarts"), [("SIGKILL", 0), *((way, -1) for way in (*CRASHES, *NORMAL, "SIGTERM", "sys.exit(3)"))]
)
def test_o2_actors_die_with_their_owner(ray: ModuleType, notes: Notes, way: str, max_restarts: int) -> None:
    """Without restart; calls of others raise; the cause names the owner; hooks run if the owner ended normally."""
    owners = [keeper(ray, notes)]
    child = ray.get(owners[0].make.remote(str(notes.path), max_restarts=max_restarts), timeout=BOUND)
    owner_id = owners[0]._actor_id
    running = child.long.remote()
    queued = child.note.remote("queued")
    wait_until(lambda: "long" in notes.lines(), what="the call to run")
    end(ray, owners, way)
    for ref in (running, queued, child.note.remote("later")):
        with pytest.raises(ray.exceptions.ActorDiedError, match=OWNER_DIED):
            ray.get(ref, timeout=BOUND)
    wait_for_end(notes.pid)
    cause = wait_for_death(child)
    assert cause["reason"] == "OWNER_DIED"
    assert owner_id in cause["error_message"]
    assert state(child).num_restarts == 0
    if way in NORMAL:
        assert notes.lines() == ["init", "long", *ENDED]
    elif way in CRASHES:
        assert notes.lines() == ["init", "long"]


@pytest.mark.parametrize(
    ("way", "words"),
    [("SIGKILL", "SIGKILL"), ("os._exit(7)", "exit code 7"), ("exit_actor", "has left"), ("kill", "killed")],
)
def test_o2_the_cause_says_how_the_owner_ended(ray: ModuleType, notes: Notes, way: str, words: str) -> None:
    """The end of the owner is told in words."""
    owners = [keeper(ray, notes)]
    child = ray.get(owners[0].make.remote(str(notes.path)), timeout=BOUND)
    end(ray, owners, way)
    assert words in wait_for_death(child)["error_message"]


@pytest.mark.parametrize("way", ["returns", "shuts down", "raises", "SIGTERM", "os._exit", "SIGKILL"])
def test_o2_actors_of_a_driver_end_with_it(ray: ModuleType, notes: Notes, way: str) -> None:
    """However it ends (A1); calls of another driver raise; hooks run unless it crashed."""
    with other_driver(ray.get_runtime_context().namespace) as other:
        other.do(f"a = ray.remote(Mortal).options(name='owned', max_restarts=-1).remote({str(notes.path)!r})")
        actor = ray.get_actor("owned")
        running = actor.long.remote()
        wait_until(lambda: "long" in notes.lines(), what="the call to run")
        end_driver(other, way)
        with pytest.raises(ray.exceptions.ActorDiedError, match=OWNER_DIED):
            ray.get(running, timeout=BOUND)
        wait_for_end(notes.pid)
    assert wait_for_death(actor)["reason"] == "OWNER_DIED"
    if way in {"returns", "shuts down", "raises"}:
        assert notes.lines() == ["init", "long", *ENDED]
    else:
        assert notes.lines() == ["init", "long"]


def end_driver(other: OtherDriver, way: str) -> None:
    """End another driver in some way."""
    if way == "returns":
        # With the handle still in scope when the interpreter ends.
        other.do("import builtins; builtins.kept = a")
        assert other.leave() == 0
    elif way == "shuts down":
        other.do("ray.shutdown()")
        assert other.ask("ray.is_initialized()") is False
    elif way == "raises":
        other.do("import builtins; builtins.kept = a")
        other.tell("raise SystemExit(5)")
        assert other.wait() == 5
    elif way == "SIGTERM":
        os.kill(other.pid, signal.SIGTERM)
        assert other.wait() == -signal.SIGTERM
    elif way == "os._exit":
        other.tell("os._exit(6)")
        assert other.wait() == 6
    else:
        other.kill()


@pytest.mark.parametrize("way", ["SIGKILL", "out of scope"])
def test_o2_a_chain_of_owners_goes_down(ray: ModuleType, tmp_path: Path, way: str) -> None:
    """The first of four owners ends, and all the others with it; hooks run down the chain if it ended normally."""
    notes = [Notes(tmp_path / f"{number}") for number in range(4)]
    owners = [ray.remote(Keeper).remote(str(notes[0].path))]
    line = ray.get(owners[0].make_line.remote([str(each.path) for each in notes[1:]]), timeout=BOUND)
    pids = [each.pid for each in notes]
    assert not any(gone(pid) for pid in pids)
    end(ray, owners, way)
    for pid in pids:
        wait_for_end(pid)
    assert [wait_for_death(child)["reason"] for child in line] == ["OWNER_DIED"] * 3
    graceful = way == "out of scope"
    assert [each.lines()[-2:] == ENDED for each in notes] == [graceful] * 4


def test_o3_the_children_of_a_restarted_owner_are_gone(ray: ModuleType, notes: Notes) -> None:
    """Each incarnation has its own: that of the first dies, that of the second serves."""
    owner = ray.remote(Maker).options(max_restarts=1, max_task_retries=1).remote(str(notes.path))
    first = ray.get(owner.give.remote(), timeout=BOUND)
    pid = ray.get(first.pid.remote(), timeout=BOUND)
    owner.die.remote()
    wait_for_end(pid)
    assert wait_for_death(first)["reason"] == "OWNER_DIED"
    second = ray.get(owner.give.remote(), timeout=BOUND)
    assert second != first
    assert ray.get(second.note.remote("second"), timeout=BOUND) == "second"
    with pytest.raises(ray.exceptions.ActorDiedError, match=OWNER_DIED):
        ray.get(first.pid.remote(), timeout=BOUND)


@pytest.mark.parametrize("way", ["returns", "SIGKILL"])
def test_o4_a_detached_actor_outlives_the_driver_that_made_it(ray: ModuleType, notes: Notes, way: str) -> None:
    """No handle is left; it keeps its state, is restarted after a crash, and is ended by kill alone."""
    namespace = ray.get_runtime_context().namespace
    with other_driver(namespace) as other:
        other.do(
            "a = ray.remote(Keeper).options(name='kept', lifetime='detached', max_restarts=1)"
            f".remote({str(notes.path)!r}); ray.get(a.keep.remote('a thing'))"
        )
        end_driver(other, way)
    assert ray.get(ray.get_actor("kept").give.remote(), timeout=BOUND) == "a thing"
    os.kill(notes.pid, signal.SIGKILL)
    wait_until(lambda: notes.count("init") == 2, what="the restart")
    ray.shutdown()
    ray.init(namespace=namespace)
    actor = ray.get_actor("kept")
    wait_for_restart(actor, 1)
    assert ray.get(actor.give.remote(), timeout=BOUND) is None
    assert state(actor).num_restarts == 1
    ray.kill(actor)
    assert wait_for_death(actor)["reason"] == "RAY_KILL"
    assert notes.lines() == ["init", "init"]


def test_o4_a_detached_actor_outlives_the_actor_that_made_it(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Its creator is killed, and nobody holds a handle to it."""
    owner = keeper(ray, notes)
    child = ray.get(owner.make.remote(str(notes.path), name="kept", lifetime="detached"), timeout=BOUND)
    pid, actor = ray.get(child.pid.remote(), timeout=BOUND), child._actor_id
    ray.kill(owner)
    wait_for_death(owner)
    del child
    wait_until(lambda: not on_stage.wire.call("HLEN", on_stage.broker.keys.holders(actor)), what="all handles to go")
    child = ray.get_actor("kept")
    assert ray.get(child.pid.remote(), timeout=BOUND) == pid
    ray.kill(child)
    wait_for_end(pid)


@pytest.mark.parametrize("way", ["terminate", "exit_actor"])
def test_o4_a_detached_actor_ends_itself(ray: ModuleType, notes: Notes, way: str) -> None:
    """`__ray_terminate__` and `exit_actor` end it for good, and its name is free."""
    actor = ray.remote(Mortal).options(name="kept", lifetime="detached", max_restarts=-1).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    end(ray, [actor], way)
    assert wait_for_death(actor)["exit_type"] == "INTENDED_USER_EXIT"
    with pytest.raises(ValueError, match="kept"):
        ray.get_actor("kept")
    assert notes.lines()[-2:] == ENDED


def test_o6_calls_of_a_killed_driver_still_run_in_order(ray: ModuleType, notes: Notes) -> None:
    """It is killed by SIGKILL with one call running and others queued."""
    gate = notes.path.with_name("gate")
    actor = ray.remote(Mortal).options(name="called").remote(str(notes.path))
    with other_driver(ray.get_runtime_context().namespace) as other:
        other.do("a = ray.get_actor('called')")
        other.do(f"refs = [a.behind.remote({str(gate)!r}), *(a.note.remote(str(n)) for n in range(50))]")
        assert other.ask("ray.wait(refs[:1], timeout=0)[0]") == []
        other.kill()
    gate.touch()
    wait_until(lambda: len(notes.lines()) == 52, what="all calls to run")
    assert notes.lines() == ["init", "behind", *map(str, range(50))]
    assert ray.get(actor.note.remote("after"), timeout=BOUND) == "after"


def test_o6_calls_of_a_killed_actor_still_run_in_order(ray: ModuleType, notes: Notes) -> None:
    """The caller is an actor's worker, and its calls carry handles."""
    gate = notes.path.with_name("gate")
    caller, called = keeper(ray, notes), ray.remote(Keeper).remote(str(notes.path))
    ray.get(caller.keep.remote(called), timeout=BOUND)
    ray.get(caller.submit.remote("behind", str(gate)), timeout=BOUND)
    for number in range(5):
        ray.get(caller.submit.remote("have_behind", str(gate), f"{number}", [called]), timeout=BOUND)
    ray.kill(caller)
    wait_for_death(caller)
    gate.touch()
    assert ray.get(called.note.remote("after"), timeout=BOUND) == "after"
    assert notes.lines() == ["init", "behind", "0", "1", "2", "3", "4", "after"]
