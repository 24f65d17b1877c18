"""N: names and namespaces."""

import itertools
import os
import signal
import threading
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from tests.support.company import Keeper
from tests.support.drivers import other_driver
from tests.support.holding import BOUND
from tests.support.looking import wait_for_death, wait_for_end
from tests.support.mortals import Mortal, Notes
from tests.support.waiting import wait_until

from callboard import util

#: Statements that make another driver die in the midst of creating an actor: at the step that has this name.
DIE_AT = "import callboard_broker.operations.actors as steps; steps.{step} = lambda *_, **__: crash()"


def named(ray: ModuleType, notes: Notes, name: str = "it", **options: Any) -> Any:
    """Create an actor with a name."""
    return ray.remote(Mortal).options(name=name, **options).remote(str(notes.path))


def taken(ray: ModuleType, notes: Notes, name: str = "it") -> bool:
    """Tell whether a name is taken."""
    try:
        actor = named(ray, notes, name)
    except ray.exceptions.ActorAlreadyExistsError:
        return True
    ray.kill(actor)
    return False


def test_n1_a_named_actor_is_found(ray: ModuleType, notes: Notes) -> None:
    """By name in the own namespace, and by name and namespace from elsewhere; the list shows it."""
    here = ray.get_runtime_context().namespace
    actor, other = named(ray, notes, max_task_retries=1), named(ray, notes, namespace="another")
    assert ray.get_actor("it") == ray.get_actor("it", here) == actor
    assert ray.get_actor("it", namespace="another") == other != actor
    assert util.list_named_actors() == ["it"]
    listed = util.list_named_actors(all_namespaces=True)
    assert {"name": "it", "namespace": "another"} in listed
    assert {"name": "it", "namespace": here} in listed
    assert ray.get(ray.get_actor("it").note.remote("found"), timeout=BOUND) == "found"


def test_n1_an_actor_is_found_before_it_is_up(ray: ModuleType, notes: Notes) -> None:
    """Calls through the handle run when its constructor has."""
    actor = named(ray, notes)
    assert ray.get_actor("it") == actor
    assert ray.get(ray.get_actor("it").note.remote("early"), timeout=BOUND) == "early"


def test_n1_a_restarting_actor_keeps_its_name(ray: ModuleType, notes: Notes) -> None:
    """It is found, and nobody can take the name, while its second constructor runs."""
    gate = notes.path.with_name("gate")
    actor = ray.remote(Mortal).options(name="it", max_restarts=1).remote(str(notes.path), ("live", "wait"))
    ray.get(actor.pid.remote(), timeout=BOUND)
    os.kill(notes.pid, signal.SIGKILL)
    wait_until(lambda: notes.count("init") == 2, what="the restart")
    assert ray.get_actor("it") == actor
    assert taken(ray, Notes(gate))
    ray.kill(actor)


def test_n1_get_if_exists_returns_the_living_actor(ray: ModuleType, notes: Notes) -> None:
    """The arguments of the second creation do not matter; when the actor is dead, a new one is made."""
    first, again = named(ray, notes, get_if_exists=True), named(ray, notes, get_if_exists=True)
    assert first == again
    pids = ray.get([first.pid.remote(), again.pid.remote()], timeout=BOUND)
    assert pids[0] == pids[1]
    assert notes.count("init") == 1
    ray.kill(first)
    third = named(ray, notes, get_if_exists=True)
    assert third != first
    assert ray.get(third.pid.remote(), timeout=BOUND) != pids[0]


def test_n1_names_inside_an_actor_are_those_of_its_driver(ray: ModuleType, notes: Notes) -> None:
    """Also in an actor whose own name is in another namespace."""
    actor = named(ray, notes)

    def look_up(_self: Any) -> Any:
        import callboard  # noqa: PLC0415 - this runs in a worker

        return callboard.get_actor("it"), callboard.get_runtime_context().namespace

    inside = named(ray, notes, "other", namespace="another")
    found, namespace = ray.get(inside.__ray_call__.remote(look_up), timeout=BOUND)
    assert found == actor
    assert namespace == ray.get_runtime_context().namespace


def test_n2_a_taken_name_is_an_error(ray: ModuleType, notes: Notes) -> None:
    """From `.remote()`, as ValueError and ActorAlreadyExistsError, naming the real namespace and the way out."""
    here = ray.get_runtime_context().namespace
    actor = named(ray, notes)
    with pytest.raises(ray.exceptions.ActorAlreadyExistsError, match="already taken") as caught:
        named(ray, notes)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ray.exceptions.RayError)
    assert f"get_actor('it', namespace='{here}')" in str(caught.value)
    assert ray.get(actor.note.remote("unharmed"), timeout=BOUND) == "unharmed"
    assert notes.count("init") == 1


def test_n2_a_missing_name_is_an_error(ray: ModuleType) -> None:
    """A ValueError that names the name, the namespace and the likely reasons."""
    with pytest.raises(ValueError, match="'nobody' in namespace 'nowhere'") as caught:
        ray.get_actor("nobody", "nowhere")
    assert all(words in str(caught.value) for words in ("created", "died", "another namespace", "list_named_actors"))
    with pytest.raises(ValueError, match=ray.get_runtime_context().namespace):
        ray.get_actor("nobody")


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (5, TypeError), (b"it", TypeError)])
def test_n2_bad_names_are_errors(ray: ModuleType, name: Any, error: type[Exception]) -> None:
    """Empty names are ValueErrors and others than strings TypeErrors, wherever they are given."""
    with pytest.raises(error, match="name"):
        ray.remote(Mortal).options(name=name)
    with pytest.raises(error, match="name"):
        ray.remote(name=name)(Mortal)
    with pytest.raises(error, match=r"name|value"):
        ray.get_actor(name)


def test_n2_no_name_to_look_up_is_an_error(ray: ModuleType) -> None:
    """None is no name."""
    with pytest.raises((ValueError, TypeError), match="None"):
        ray.get_actor(None)


@pytest.mark.parametrize(("namespace", "error"), [("", ValueError), (5, TypeError)])
def test_n2_bad_namespaces_are_errors(ray: ModuleType, namespace: Any, error: type[Exception]) -> None:
    """Empty ones are ValueErrors and others than strings TypeErrors, wherever they are given."""
    with pytest.raises(error, match="namespace"):
        ray.remote(Mortal).options(name="it", namespace=namespace)
    with pytest.raises(error, match="namespace"):
        ray.get_actor("it", namespace)
    ray.shutdown()
    with pytest.raises(error, match="namespace"):
        ray.init(namespace=namespace)


def test_n2_get_if_exists_of_another_class_is_an_error(ray: ModuleType, notes: Notes) -> None:
    """A ValueError that names both classes; the existing actor is left as it is. It needs a name."""
    actor = named(ray, notes)
    with pytest.raises(ValueError, match=r"Mortal.*Keeper"):
        ray.remote(Keeper).options(name="it", get_if_exists=True).remote(str(notes.path))
    with pytest.raises(ValueError, match="get_if_exists"):
        ray.remote(Keeper).options(get_if_exists=True)
    assert ray.get(actor.note.remote("unharmed"), timeout=BOUND) == "unharmed"


def test_n2_namespaces_of_drivers_are_apart(ray: ModuleType, notes: Notes) -> None:
    """A driver that was given none has a random one, so names in it are free, and not found by others."""
    actor = named(ray, notes, lifetime="detached")
    here = ray.get_runtime_context().namespace
    ray.shutdown()
    ray.init()
    assert ray.get_runtime_context().namespace != here
    with pytest.raises(ValueError, match="it"):
        ray.get_actor("it")
    assert not taken(ray, notes)
    found = ray.get_actor("it", here)
    assert found == actor
    ray.kill(found)


@pytest.mark.parametrize("way", ["SIGKILL", "os._exit(0)", "exit_actor", "sys.exit(3)", "raise"])
def test_n3_the_name_of_a_dead_actor_is_free(ray: ModuleType, notes: Notes, way: str) -> None:
    """Although handles to it are held; it is not found, and its successor is another."""
    if way == "raise":
        actor = ray.remote(Mortal).options(name="it").remote(str(notes.path), ("raise",))
    else:
        actor = named(ray, notes)
        actor.die.remote("die", way)
    wait_for_death(actor)
    with pytest.raises(ValueError, match="it"):
        ray.get_actor("it")
    assert util.list_named_actors() == []
    successor = named(ray, notes)
    assert ray.get(successor.note.remote("successor"), timeout=BOUND) == "successor"
    assert ray.get_actor("it") == successor != actor
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.pid.remote(), timeout=BOUND)


def test_n3_the_name_is_free_after_the_last_handle(ray: ModuleType, notes: Notes) -> None:
    """And after the end of its owner."""
    pid = ray.get(named(ray, notes).pid.remote(), timeout=BOUND)
    wait_for_end(pid)
    wait_until(lambda: not util.list_named_actors(), what="the name to be free")
    owner = ray.remote(Keeper).remote(f"{notes.path}-of-the-owner")
    child = ray.get(owner.make.remote(str(notes.path), name="it"), timeout=BOUND)
    assert taken(ray, notes)
    ray.kill(owner)
    wait_for_death(child)
    assert not taken(ray, notes)


def test_n3_a_name_is_looked_up_anew_each_time(ray: ModuleType, notes: Notes) -> None:
    """However often and quickly: whoever has it now is found, and nobody once that one has been killed."""
    for _ in range(20):
        actor = named(ray, notes)
        assert ray.get_actor("it") == ray.get_actor("it") == actor
        ray.kill(ray.get_actor("it"))
        with pytest.raises(ValueError, match="it"):
            ray.get_actor("it")


@pytest.mark.parametrize("step", ["create", "claim_name", "place"])
@pytest.mark.parametrize("lifetime", ["detached", "non_detached"])
def test_n3_the_name_is_free_after_its_creator_died_half_way(
    ray: ModuleType, notes: Notes, step: str, lifetime: str
) -> None:
    """Killed before the actor is written down, before it has its name, or before it may start."""
    with other_driver(ray.get_runtime_context().namespace) as other:
        other.do(DIE_AT.format(step=step))
        other.tell(f"ray.remote(Mortal).options(name='it', lifetime={lifetime!r}).remote({str(notes.path)!r})")
        assert other.wait() == -signal.SIGKILL
    wait_until(lambda: not taken(ray, notes), what="the name to be free")
    assert util.list_named_actors() == []


def test_n4_one_of_many_creations_wins(ray: ModuleType, notes: Notes) -> None:
    """Of several processes that create the same name at once, in many rounds, exactly one succeeds each time."""
    create = (
        "try:\\n kept.append(ray.remote(Mortal).options(name=name).remote(path))\\n"
        "except ValueError:\\n kept.append(None)"
    )
    rounds = 10
    with ExitStack() as stack:
        others = [stack.enter_context(other_driver(ray.get_runtime_context().namespace)) for _ in range(4)]
        for other in others:
            other.do(f"kept = []; path = {str(notes.path)!r}")
        for number in range(rounds):
            for other in others:
                other.tell(f"name = 'it{number}'; exec('{create}')")
            for other in others:
                other.acknowledge()
        won = [other.ask("[actor is not None for actor in kept]") for other in others]
        assert [sum(wins) for wins in zip(*won, strict=True)] == [1] * rounds
        pids = others[0].ask(f"[ray.get(ray.get_actor(f'it{{n}}').pid.remote()) for n in range({rounds})]")
        assert len(set(pids)) == rounds
    wait_until(lambda: not util.list_named_actors(), what="the actors to end with their owners")
    assert notes.count("init") == rounds


def test_n4_get_if_exists_gives_all_the_same_actor(ray: ModuleType, notes: Notes) -> None:
    """Several processes, each with several threads, ask at once: there is one actor, made once."""
    with ExitStack() as stack:
        others = [stack.enter_context(other_driver(ray.get_runtime_context().namespace)) for _ in range(4)]
        for other in others:
            other.tell(
                "import concurrent.futures; pool = concurrent.futures.ThreadPoolExecutor(4); "
                "cls = ray.remote(Mortal).options(name='it', get_if_exists=True); "
                f"kept = list(pool.map(lambda _: cls.remote({str(notes.path)!r}), range(8)))"
            )
        for other in others:
            other.acknowledge()
        pids = itertools.chain(*(other.ask("ray.get([actor.pid.remote() for actor in kept])") for other in others))
        assert len(set(pids)) == 1
    assert notes.count("init") == 1


def test_n4_kill_and_create_by_threads_at_once(ray: ModuleType, notes: Notes) -> None:
    """Each thread gets an actor that serves or dies by another's kill; names are never stuck."""
    outcomes: list[str] = []

    def churn() -> None:
        for _ in range(5):
            actor = named(ray, notes, get_if_exists=True)
            try:
                outcomes.append(ray.get(actor.note.remote("served"), timeout=BOUND))
            except ray.exceptions.ActorDiedError:
                outcomes.append("killed")
            ray.kill(actor)

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 15
    assert set(outcomes) <= {"served", "killed"}
    assert not taken(ray, notes)
