"""L2, A5: actors whose constructors wait for references among their arguments."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.kinds import Several
from tests.support.looking import state, wait_for_death
from tests.support.mortals import Mortal, Notes
from tests.support.waiting import wait_until

BOUND = 10


@pytest.fixture
def late(ray: ModuleType, notes: Notes, gate: Path) -> Any:
    """Give a reference that has a value when the gate is opened."""
    source: Any = ray.remote(Several).remote(f"{notes.path}-of-the-source")
    return source.hold.remote(str(gate), str(notes.path))


@pytest.mark.parametrize("options", [{}, {"name": "late"}, {"name": "late", "lifetime": "detached"}])
def test_l2_an_actor_waits_for_its_arguments(ray: ModuleType, gate: Path, late: Any, options: dict[str, str]) -> None:
    """It is DEPENDENCIES_UNREADY without a process; calls made meanwhile run once it is there."""
    actor: Any = ray.remote(Mortal).options(**options).remote(late)
    ref = actor.note.remote("early")
    wait_until(lambda: state(actor).mailbox_length == 1, what="the call to be there")
    assert (state(actor).state, state(actor).pid) == ("DEPENDENCIES_UNREADY", 0)
    assert actor._actor_id.hex() == state(actor).actor_id
    gate.touch()
    assert ray.get(ref, timeout=BOUND) == "early"
    assert state(actor).state == "ALIVE"
    ray.kill(actor)


def test_a5_one_of_several_arguments_is_enough_to_wait(ray: ModuleType, notes: Notes, gate: Path, late: Any) -> None:
    """Keywords count, too; what is there already does not hurt."""
    there = ray.put(("live",))
    actor: Any = ray.remote(Mortal).remote(notes=late, first=there)
    wait_until(lambda: state(actor).state == "DEPENDENCIES_UNREADY", what="the actor to be created")
    gate.touch()
    assert ray.get(actor.note.remote("x"), timeout=BOUND) == "x"
    assert notes.lines() == ["init", "x"]


def test_k6_killed_while_it_waits(ray: ModuleType, notes: Notes, gate: Path, late: Any) -> None:
    """It never ran, and does not when its argument comes."""
    actor: Any = ray.remote(Mortal).remote(late)
    ref = actor.note.remote("never")
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(ref, timeout=BOUND)
    assert wait_for_death(actor)["never_started"]
    gate.touch()
    ray.get(late, timeout=BOUND)
    assert notes.lines() == []


def test_h2_dropped_while_it_waits(ray: ModuleType, notes: Notes, late: Any) -> None:
    """With no call it never starts."""
    actor: Any = ray.remote(Mortal).remote(late)
    identity = actor._actor_id
    del actor
    assert wait_for_death(identity)["never_started"]
    assert notes.lines() == []


def test_h3_a_call_made_while_it_waits_keeps_it(ray: ModuleType, gate: Path, late: Any) -> None:
    """Although its handle is gone."""
    ref = ray.remote(Mortal).remote(late).note.remote("kept")
    gate.touch()
    assert ray.get(ref, timeout=BOUND) == "kept"


def test_a5_a_failed_argument(ray: ModuleType, notes: Notes) -> None:
    """The actor is dead with a creation error that shows it."""
    source: Any = ray.remote(Mortal).remote(str(notes.path))
    actor: Any = ray.remote(Mortal).remote(source.raises.remote(LookupError("no argument")))
    with pytest.raises(ray.exceptions.ActorDiedError, match="no argument"):
        ray.get(actor.pid.remote(), timeout=BOUND)
    assert wait_for_death(actor)["exit_type"] == "USER_ERROR"
