"""A8: pools of actors that are processes."""

import os
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.holding import BOUND
from tests.support.mortals import Mortal, Notes, pass_gate
from tests.support.waiting import wait_until

import callboard
from callboard.exceptions import ActorDiedError
from callboard.util import ActorPool


class Player:
    """Plays values back."""

    @callboard.method
    def double(self, number: int) -> int:
        """Double."""
        return 2 * number

    @callboard.method
    def behind(self, gate: str, number: int) -> int:
        """Wait until a file exists, or not, and return the number."""
        if gate:
            pass_gate(gate)
        return number

    @callboard.method
    def pid(self, _: object = None) -> int:
        """Tell the process."""
        return os.getpid()


def test_a8_map_over_processes(ray: ModuleType) -> None:
    """A8: many values over few actors, in order; the actors share the work and are all idle again."""
    players = callboard.remote(Player)
    pool = ActorPool([players.remote() for _ in range(3)])
    assert list(pool.map(lambda player, number: player.double.remote(number), range(100))) == list(range(0, 200, 2))
    assert len(set(pool.map_unordered(lambda player, value: player.pid.remote(value), range(3)))) == 3
    idle = [pool.pop_idle() for _ in range(3)]
    assert None not in idle
    assert pool.pop_idle() is None
    del ray


def test_a8_results_as_they_come(ray: ModuleType, tmp_path: Path) -> None:
    """A8: a slow call does not hold up the others; in order it does, until the time is up."""
    del ray
    gate = tmp_path / "gate"
    players = callboard.remote(Player)
    pool = ActorPool([players.remote(), players.remote()])
    pool.submit(lambda player, number: player.behind.remote(str(gate), number), 0)
    for value in (1, 2, 3):
        pool.submit(lambda player, number: player.behind.remote("", number), value)
    assert [pool.get_next_unordered(timeout=BOUND) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(TimeoutError):
        pool.get_next_unordered(timeout=0.01)
    gate.touch()
    assert pool.get_next_unordered(timeout=BOUND) == 0


def test_a8_the_pool_goes_on_without_a_dead_actor(ray: ModuleType, tmp_path: Path) -> None:
    """A8: what it worked at raises `ActorDiedError`; the values that wait go to the other."""
    notes = [Notes(tmp_path / name) for name in ("one", "two")]
    handles = [ray.remote(Mortal).remote(str(each.path)) for each in notes]
    pool = ActorPool(handles)
    gate = tmp_path / "gate"
    for word in ("a", "b", "c", "d"):
        pool.submit(lambda actor, text: actor.behind.remote(str(gate), text), word)
    wait_until(lambda: notes[1].count("a") == 1, what="the first call")
    ray.kill(handles[1])
    with pytest.raises(ActorDiedError):
        pool.get_next(timeout=BOUND)
    gate.touch()
    assert [pool.get_next(timeout=BOUND) for _ in range(3)] == ["b", "c", "d"]
    assert pool.pop_idle() == handles[0]
    assert pool.pop_idle() is None
