"""I6, I7: handles in the moments in which something dies, breaks or is refused."""

import gc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.company import Keeper
from tests.support.holding import BOUND, ENDED, Place
from tests.support.looking import wait_for_death, wait_for_end, worker_of
from tests.support.mortals import WAYS, Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard import _session
from callboard._outbound import Outbound
from callboard.exceptions import ActorDiedError
from callboard_broker.operations import calls, clients
from callboard_broker.wire import items, text


@pytest.fixture
def place(ray: ModuleType, on_stage: Stage, tmp_path: Path) -> Place:
    """Give the test an actor that can keep things."""
    return Place(ray, on_stage, Notes(tmp_path / "notes"))


def ours(place: Place) -> set[str]:
    """Return as whom this process holds the actor."""
    return {holder for holder in place.holders() if holder.startswith(place.me())}


def index_of(place: Place, client: str) -> set[str]:
    """Return what must be released when a client is gone."""
    return {text(member) for member in items(place.stage.wire.call("SMEMBERS", place.stage.broker.keys.holds(client)))}


def keep_only(place: Place, thing: Any) -> None:
    """Have the keeper keep a thing, and wait until this process no longer holds the actor."""
    place.keep(thing)
    del thing
    gc.collect()
    wait_until(lambda: place.me() not in place.holders(), what="the release here")


def test_i7_what_is_sent_again_releases_no_later_handle(
    place: Place, ray: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: a handle was dropped and another one came, and all that is sent once more, as when a connection broke."""
    place.keep(place.new())
    sent: list[bytes] = []
    post = Outbound.post_locked

    def noted(outbound: Outbound, packed: bytes, acknowledged: Any) -> None:
        sent.append(packed)
        post(outbound, packed, acknowledged)

    monkeypatch.setattr(Outbound, "post_locked", noted)
    handles: list[Any] = []
    for _ in range(3):
        handles.clear()
        gc.collect()
        wait_until(lambda: not ours(place), what="the release")
        handles.append(ray.get(place.keeper.give.remote(), timeout=BOUND))
        wait_until(lambda: ours(place), what="the hold")
    place.drop()
    wait_until(lambda: len(place.holders()) == 1, what="nothing but our hold")
    outbound = _session.client().outbound
    with outbound.lock:
        outbound.flush()
        outbound._unacknowledged.extend((packed, lambda _: None) for packed in sent)
        outbound._send_again()
    outbound.flush()
    assert place.is_held()
    assert ray.get(handles[0].note.remote("still here"), timeout=BOUND) == "still here"
    handles.clear()
    wait_for_end(place.notes.pid)


def test_i6_a_worker_is_not_answerable_for_what_it_has_returned(place: Place, ray: ModuleType) -> None:
    """I6: the index of a worker that returns handles does not grow."""
    place.keep(place.new())
    worker = worker_of(place.stage, place.keeper._actor_id)
    before = index_of(place, worker)
    for _ in range(5):
        ray.get(place.keeper.give.remote(), timeout=BOUND)
    assert index_of(place, worker) == before
    place.drop()


def test_i7_a_worker_that_counts_as_dead_returns_no_handles(place: Place, ray: ModuleType) -> None:
    """I7: what it lends is not counted any more, so its result is not taken; it may be the worker of a lost node."""
    handle = place.new()
    actor = place.keeper._actor_id
    place.keep(handle)
    lent = place.keeper.have_behind.remote(str(place.gate), "running", None)
    returned = place.keeper.give.remote()
    wait_until(lambda: "running" in Notes(f"{place.notes.path}-of-the-keeper").lines(), what="the call to run")
    broker = place.stage.broker
    place.stage.wire.call(*clients.bury(broker.keys, worker_of(place.stage, actor), "no heartbeat"))
    place.gate.touch()
    assert ray.get(lent, timeout=BOUND) == "running"
    with pytest.raises(ActorDiedError):
        ray.get(returned, timeout=BOUND)


def test_i6_a_cancelled_call_lets_go_of_what_it_returns(place: Place, ray: ModuleType) -> None:
    """I6: it returns a handle when nobody waits for it any more."""
    keep_only(place, place.new())
    notes = Notes(f"{place.notes.path}-of-the-keeper")
    ref = place.keeper.__ray_call__.remote(_give_behind, str(place.gate))
    wait_until(lambda: "running" in notes.lines(), what="the call to run")
    ray.cancel(ref)
    place.open_gate()
    place.drop()
    wait_for_end(place.notes.pid)


def _give_behind(keeper: Any, gate: str) -> Any:
    keeper.behind(gate, "running")
    return keeper.give()


def test_i6_a_worker_is_not_answerable_for_what_it_has_yielded(place: Place, ray: ModuleType) -> None:
    """I6: nor does its index grow with a stream of handles."""
    place.keep(place.new())
    worker = worker_of(place.stage, place.keeper._actor_id)
    before = index_of(place, worker)
    stream = place.keeper.give_several.remote(5)
    for ref in stream:
        ray.get(ref, timeout=BOUND)
    ray.get(stream.completed(), timeout=BOUND)
    assert index_of(place, worker) == before
    place.drop()


def test_i7_an_item_that_is_yielded_again_keeps_the_first_one(place: Place, ray: ModuleType) -> None:
    """I7: the call crashed and was run again; its item has not been read yet, and has the only handle."""
    yielder = ray.remote(max_restarts=-1, max_task_retries=-1)(Yielder).remote(f"{place.notes.path}-of-the-yielder")
    stream = yielder.pass_on.remote([place.new()])
    (ref,) = list(stream)
    del stream
    gc.collect()
    assert Notes(f"{place.notes.path}-of-the-yielder").count("yields") == 2
    wait_until(lambda: len(place.holders()) <= 1, what="the call and this process to let go")
    assert place.is_held()
    (handle,) = ray.get(ref, timeout=BOUND)
    del ref
    assert ray.get(handle.note.remote("yielded"), timeout=BOUND) == "yielded"
    del handle
    wait_for_end(place.notes.pid)


class Yielder(Mortal):
    """Yield what it is given, and crash after that, the first time."""

    def pass_on(self, things: list[Any]) -> Iterator[list[Any]]:
        """Yield a list of things."""
        self._notes.add("yields")
        yield things
        if self._notes.count("yields") == 1:
            WAYS["SIGKILL"]()


def test_i7_a_value_that_was_read_keeps_its_handles_without_its_owner(place: Place, ray: ModuleType) -> None:
    """I7, O7: the owner of the object is dead; a value that had arrived before stays, and what is in it, too."""
    place.keep(place.new())
    (ref,) = ray.get(place.keeper.__ray_call__.remote(_put_what_is_kept), timeout=BOUND)
    ray.wait([ref], timeout=BOUND)
    ray.kill(place.keeper)
    wait_for_death(place.keeper)
    handle = ray.get(ref, timeout=BOUND)["handle"]
    assert ray.get(handle.note.remote("without owner"), timeout=BOUND) == "without owner"
    assert place.is_held()
    del ref
    assert place.is_held()
    del handle
    wait_for_end(place.notes.pid)
    assert place.notes.lines() == ["init", "without owner", *ENDED]


def _put_what_is_kept(keeper: Any) -> Any:
    import callboard  # noqa: PLC0415 - runs in the worker

    ref = callboard.put({"handle": keeper.give()})
    keeper.keep(ref)
    return [ref]


def test_i7_a_borrowed_value_that_is_passed_on_keeps_its_handles(place: Place, ray: ModuleType) -> None:
    """I7: it is attached to a call that waits behind another; whoever had it, or made it, no longer has it."""
    third = ray.remote(Keeper).remote(f"{place.notes.path}-of-the-third")
    third.behind.remote(str(place.gate))
    place.keep(place.new())
    (ref,) = ray.get(place.keeper.__ray_call__.remote(_put_what_is_kept), timeout=BOUND)
    place.drop()
    ray.wait([ref], timeout=BOUND)
    third.keep.remote(ref)
    del ref
    gc.collect()
    wait_until(lambda: not any(holder.startswith("o:") for holder in place.holders()), what="the object to go")
    assert place.is_held()
    place.gate.touch()
    handle = ray.get(third.give.remote(), timeout=BOUND)["handle"]
    assert ray.get(handle.note.remote("passed on"), timeout=BOUND) == "passed on"
    del handle, third
    wait_for_end(place.notes.pid)


def test_i6_a_refused_call_lets_go_of_what_it_carried(place: Place, ray: ModuleType) -> None:
    """I6: nobody knows what is in it, but what it was said to carry is released with the actor at the latest."""
    handle = place.new()
    client = _session.client()
    target = f"a:{place.actor}"
    client.holdings.lend([target], "m:forged/1", place.keeper._actor_id)
    client.outbound.flush()
    keeper = place.keeper._actor_id
    client.ask(*calls.post_carrying(client.keys, keeper, client.id, b"forged/1", target, (b"not", b"a call")))
    client.holdings.handed_over([target], "m:forged/1", keeper)
    ray.get(place.keeper.pid.remote(), timeout=BOUND)
    del handle
    gc.collect()
    wait_until(lambda: place.me() not in place.holders(), what="the release here")
    assert place.is_held()
    ray.kill(place.keeper)
    wait_for_end(place.notes.pid)
