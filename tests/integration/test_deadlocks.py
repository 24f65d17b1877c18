"""C7: actors that would wait for each other for ever."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.looking import state, times_asked, wait_for_death
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard
from callboard_broker.wire import maybe_text

BOUND = 10


class Link:
    """One of several actors that call each other."""

    def __init__(self) -> None:
        self._next: Any = None

    def follow(self, handle: Any) -> None:
        """Note whom to ask."""
        self._next = handle

    def ask(self, times: int) -> int:
        """Ask the next one, which asks the next one."""
        return 0 if not times else 1 + callboard.get(self._next.ask.remote(times - 1))

    def ask_both(self, other: Any, times: int) -> int:
        """Ask two."""
        return sum(callboard.get([other.ask.remote(0), self._next.ask.remote(times)]))

    def ask_often(self, gate: str, number: int) -> int:
        """Ask the next one many times at once, while it waits for a gate."""
        return sum(callboard.get([self._next.hold.remote(gate, 0), *(self._next.ask.remote(0) for _ in range(number))]))

    def hold(self, gate: str, times: int) -> int:
        """Wait for a gate before asking."""
        from tests.support.mortals import pass_gate  # noqa: PLC0415 - pickled by value

        pass_gate(gate)
        return self.ask(times)


def ring(ray: ModuleType, number: int, **options: Any) -> list[Any]:
    """Create actors each of which asks the next, the last one the first."""
    links = [ray.remote(Link).options(**options).remote() for _ in range(number)]
    following = zip(links, [*links[1:], links[0]], strict=True)
    ray.get([link.follow.remote(follower) for link, follower in following], timeout=BOUND)
    return links


def release(ray: ModuleType, links: list[Any]) -> None:
    """Break the ring, as actors that hold each other are not collected (H9)."""
    for link in links:
        ray.kill(link)


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_c7_a_cycle_is_named(ray: ModuleType, on_stage: Stage, number: int) -> None:
    """The wait that closes it raises, with the way round; the others get that as their error, and all live on."""
    links = ring(ray, number)
    with pytest.raises(ray.exceptions.DeadlockError, match="would wait for ever") as caught:
        ray.get(links[0].ask.remote(number), timeout=BOUND)
    named = [link._actor_id for link in links if link._actor_id in str(caught.value)]
    assert len(named) == number
    assert ray.get([link.ask.remote(0) for link in links], timeout=BOUND) == [0] * number
    for link in links:
        assert maybe_text(on_stage.wire.call("HGET", on_stage.broker.keys.actor(link._actor_id), "waits_for")) is None
    release(ray, links)


def test_c7_a_chain_without_a_cycle_is_none(ray: ModuleType, gate: Path) -> None:
    """However long it waits, and although the last one is asked by others, too."""
    links = ring(ray, 4)
    slow = links[3].hold.remote(str(gate), 0)
    refs = [links[0].ask.remote(3), links[1].ask.remote(2)]
    assert ray.wait(refs, timeout=1)[0] == []
    gate.touch()
    assert ray.get([slow, *refs], timeout=BOUND) == [0, 3, 2]
    release(ray, links)


def test_c7_calls_that_have_ended_make_no_cycle(ray: ModuleType, on_stage: Stage, gate: Path) -> None:
    """Of several calls that an actor waits for, only those that are open count."""
    first, second, third = ring(ray, 3)
    slow = second.hold.remote(str(gate), 0)
    both = first.ask_both.remote(third, 0)
    record = on_stage.broker.keys.actor(first._actor_id)
    wait_until(lambda: maybe_text(on_stage.wire.call("HGET", record, "waits_for")), what="the wait to be written")
    back = third.ask.remote(1)
    assert ray.wait([both, back], timeout=1)[0] == []
    gate.touch()
    assert ray.get([slow, both, back], timeout=BOUND) == [0, 0, 1]
    release(ray, [first, second, third])


def test_c7_who_waits_for_many_calls_of_one_asks_once(ray: ModuleType, on_stage: Stage, gate: Path) -> None:
    """A wait costs no more for having many calls: each question would wake the server and be paid by all others."""
    first, second = ring(ray, 2)
    record = on_stage.broker.keys.actor(first._actor_id)
    before = times_asked(on_stage.wire, "hmget")
    often = first.ask_often.remote(str(gate), 200)
    wait_until(lambda: maybe_text(on_stage.wire.call("HGET", record, "waits_for")), what="the wait to be written")
    gate.touch()
    assert ray.get(often, timeout=BOUND) == 0
    assert times_asked(on_stage.wire, "hmget") - before < 100
    release(ray, [first, second])


def test_c7_a_wait_with_a_timeout_is_left_alone(ray: ModuleType) -> None:
    """It ends by itself, with the error that it was asked for."""

    class Patient:
        def __init__(self) -> None:
            self.me = callboard.get_runtime_context().current_actor

        def ask(self) -> None:
            callboard.get(self.me.nothing.remote(), timeout=0.5)

        def nothing(self) -> None:
            pass

    patient = ray.remote(Patient).remote()
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(patient.ask.remote(), timeout=BOUND)
    ray.kill(patient)


def test_c7_threads_of_an_actor_may_wait_for_it(ray: ModuleType) -> None:
    """A threaded actor has room for the calls that it waits for."""
    links = ring(ray, 1, max_concurrency=5)
    assert ray.get(links[0].ask.remote(4), timeout=BOUND) == 4
    release(ray, links)


def test_h9_actors_that_hold_each_other_are_not_collected(ray: ModuleType, on_stage: Stage) -> None:
    """A ring lives without a handle elsewhere, is listed, and ends with its owner."""
    links, other = ring(ray, 3), ray.remote(Link).remote()
    actors, last = [link._actor_id for link in links], other._actor_id
    del links, other
    # Released after the ring, and so collected after the ring would have been.
    wait_for_death(last)
    assert [state(actor).state for actor in actors] == ["ALIVE"] * 3
    ray.shutdown()
    for actor in actors:
        record = on_stage.broker.keys.actor(actor)
        wait_until(lambda record=record: on_stage.wire.call("HGET", record, "state") == b"DEAD", what="their end")  # type: ignore[misc]
