"""Large values on one host: as they were, through shared memory, unchanged as long as somebody looks at them."""

import array
import random
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.haulers import AsyncHauler, Crate, Hauler, digest, in_segments
from tests.support.mortals import Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard import _session
from callboard_broker.segments import Segments
from callboard_broker.wire import entries

BOUND = 30
LARGE = 300_000


def hauler(ray: ModuleType, kind: type = Hauler, **options: Any) -> Any:
    """Create an actor, and wait until it is somewhere."""
    actor = ray.remote(kind).options(**options).remote()
    ray.get(actor.pid.remote(), timeout=BOUND)
    return actor


def crate(size: int = LARGE) -> Crate:
    """Return a value like an array, unlike all others."""
    return Crate(bytearray(random.randbytes(size)))


def body_in_mailbox(on_stage: Stage, actor: Any) -> bytes:
    """Return the body of the last call in an actor's mailbox."""
    mailbox = on_stage.broker.keys.mailbox(actor._actor_id)
    (_, fields), *_ = entries(on_stage.wire.call("XREVRANGE", mailbox, "+", "-", "COUNT", 1))
    assert fields is not None
    body = fields[3]
    assert isinstance(body, bytes)
    return body


def test_values_arrive_as_they_were(ray: ModuleType) -> None:
    """Of each kind, below, about and above the size from which they go another way, there and back."""
    actor = hauler(ray)
    content = random.randbytes(10_000_000)
    for size in (1, 99_900, 100_000, 1_000_000, 10_000_000):
        value = content[:size]
        assert ray.get(actor.echo.remote(value), timeout=BOUND) == value
        assert ray.get(actor.echo.remote(bytearray(value)), timeout=BOUND) == bytearray(value)
        assert ray.get(actor.echo.remote(Crate(value)), timeout=BOUND).content == value
        assert ray.get(actor.echo.remote(Crate(bytearray(value))), timeout=BOUND).content == value
    others: list[Any] = [
        "é" * LARGE,
        array.array("d", range(LARGE)),
        [value * LARGE for value in (b"a", b"b")],
        {"one": b"1" * LARGE, "two": ["2" * LARGE, 3]},
        list(range(LARGE)),
    ]
    for other in others:
        assert ray.get(actor.echo.remote(other), timeout=BOUND) == other
        assert ray.get(actor.echo.remote(value=other), timeout=BOUND) == other
    several = [crate(), crate(0), crate(5), crate()]
    found = ray.get(actor.echo.remote(several), timeout=BOUND)
    assert [bytes(one.content) for one in found] == [bytes(one.content) for one in several]


def test_what_is_large_is_not_in_redis(ray: ModuleType, on_stage: Stage, gate: Path) -> None:
    """The mailbox has the lengths of its parts, the inbox too; both segments are free when nobody looks any more."""
    actor = hauler(ray)
    assert ray.get(actor.echo.remote(b"1" * LARGE), timeout=BOUND) == b"1" * LARGE
    ref = actor.wait.remote(str(gate), crate())
    wait_until(lambda: len(in_segments()) == 1, what="the arguments")
    pickled, content = (int(part) for part in body_in_mailbox(on_stage, actor).split())
    assert pickled < 1000
    assert content == LARGE
    gate.touch()
    found = ray.get(ref, timeout=BOUND)
    assert len(in_segments()) == 1
    del ref
    assert len(in_segments()) == 1
    del found
    assert in_segments() == []


def test_arrays_are_not_copied_and_read_only(ray: ModuleType) -> None:
    """Neither in the actor nor at the caller."""
    actor = hauler(ray)
    ray.get(actor.readonly.remote(crate()), timeout=BOUND)
    assert ray.get(actor.readonly.remote(crate()), timeout=BOUND)
    found = ray.get(actor.crate.remote(LARGE), timeout=BOUND)
    assert memoryview(found.content).readonly
    ray.get(actor.keep.remote(crate()), timeout=BOUND)
    assert len(ray.get(actor.shared.remote(), timeout=BOUND)) > 1
    ray.get(actor.forget.remote(), timeout=BOUND)


def test_what_is_kept_stays_what_it_was(ray: ModuleType) -> None:
    """While the caller goes on with hundreds of others, what the actor and the caller keep does not change."""
    actor = hauler(ray)
    kept: list[tuple[str, Crate]] = []
    sent: list[str] = []
    for number in range(300):
        value = crate(LARGE + number)
        if number % 10 == 0:
            sent.append(digest(value))
            ray.get(actor.keep.remote(value), timeout=BOUND)
        back = ray.get(actor.echo.remote(value), timeout=BOUND)
        assert back.content == value.content
        if number % 7 == 0:
            kept.append((digest(value), back))
    assert ray.get(actor.kept.remote(), timeout=BOUND) == sent
    assert [digest(value) for _, value in kept] == [known for known, _ in kept]
    ray.get(actor.forget.remote(), timeout=BOUND)


def test_later_changes_do_not_leak_in(ray: ModuleType, gate: Path) -> None:
    """What the caller does with a value after `.remote()` is not seen, also when the call has to wait for its turn."""
    actor = hauler(ray)
    first = actor.wait.remote(str(gate))
    slow = hauler(ray)
    value, waits = crate(), slow.wait.remote(str(gate))
    known = digest(value)
    refs = [actor.digest.remote(value), actor.echo.remote(waits, 1), actor.digest.remote(value)]
    value.content[:] = bytes(LARGE)
    gate.touch()
    assert ray.get([refs[0], refs[2]], timeout=BOUND) == [known, known]
    ray.get([first, refs[1]], timeout=BOUND)


@pytest.mark.parametrize(("kind", "method", "options"), [
    (Hauler, "echo", {}),
    (Hauler, "echo", {"max_concurrency": 4}),
    (AsyncHauler, "aecho", {}),
])  # fmt: skip
def test_ten_callers_at_once(ray: ModuleType, kind: type, method: str, options: dict[str, Any]) -> None:
    """Threads that call a serial, a threaded and an async actor get back what each of them gave."""
    actor = hauler(ray, kind, **options)
    wrong: list[str] = []

    def call() -> None:
        for _ in range(10):
            values = [crate(), crate(150_000), random.randbytes(LARGE)]
            found = ray.get([getattr(actor, method).remote(value) for value in values], timeout=BOUND)
            if [digest(value) for value in found] != [digest(value) for value in values]:
                wrong.append("differs")

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_values_are_passed_on(ray: ModuleType) -> None:
    """As plain arguments, inside of lists, from actor to actor, from `put`, to and from remote functions."""
    one, two = hauler(ray), hauler(ray)
    made, crated = one.make.remote(LARGE, 1), one.crate.remote(LARGE, 2)
    for ref, value in ((made, b"\1" * LARGE), (crated, b"\2" * LARGE)):
        known = digest(value)
        for actor in (one, two):
            assert ray.get(actor.digest.remote(ref), timeout=BOUND) == known
        assert ray.get(two.echo.remote([ref, value]), timeout=BOUND)[1] == value
        (found,) = ray.get(two.echo.remote([ref]), timeout=BOUND)
        assert digest(ray.get(found, timeout=BOUND)) == known
        assert ray.get(two.digest.remote(one.echo.remote(ref)), timeout=BOUND) == known
        assert digest(ray.get(ray.remote(lambda given: given).remote(ref), timeout=BOUND)) == known
        assert ray.get(two.digest.remote(ray.put(value)), timeout=BOUND) == known
    first, second = two.echo.options(num_returns=2).remote([crated, made])
    assert ray.get(one.digest.remote(ray.get(second, timeout=BOUND)), timeout=BOUND) == digest(b"\1" * LARGE)
    del first


def test_actors_call_each_other_with_large_values(ray: ModuleType) -> None:
    """A worker has a shelf of its own as soon as it calls."""

    class Middle:
        def forward(self, other: Any, seed: int) -> str:
            found = ray.get(other.crate.remote(LARGE, seed))
            return str(ray.get(other.digest.remote(found)))

    end, middle = hauler(ray), ray.remote(Middle).remote()
    for seed in range(5):
        assert ray.get(middle.forward.remote(end, seed), timeout=BOUND) == digest(bytes([seed]) * LARGE)
    assert in_segments() == []


def test_items_and_handles(ray: ModuleType) -> None:
    """Generators give large items; what carries handles may be large."""
    actor = hauler(ray)
    items = [ray.get(ref) for ref in actor.several.options(num_returns="streaming").remote(LARGE, 3)]
    assert items == [bytes([seed]) * LARGE for seed in range(3)]
    handle, value = ray.get(actor.echo.remote([hauler(ray), crate()]), timeout=BOUND)
    assert len(value.content) == LARGE
    assert ray.get(handle.pid.remote(), timeout=BOUND)


def test_more_values_than_files_may_be_open(ray: ModuleType) -> None:
    """Who keeps hundreds of arrays does not run out of descriptors."""
    actor = hauler(ray)
    refs = [actor.crate.remote(120_000, seed) for seed in range(600)]
    values = ray.get(refs, timeout=BOUND)
    assert len(list(Path("/proc/self/fd").iterdir())) < 400
    assert [value.content[0] for value in values] == [seed % 256 for seed in range(600)]


def test_without_room_values_go_through_redis(ray: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody notices when the shared memory is full, at the caller or in the worker."""
    actor = hauler(ray)
    for value in (crate(), random.randbytes(LARGE)):
        ray.get(actor.echo.remote(value), timeout=BOUND)
        with monkeypatch.context() as patched:
            patched.setattr(Segments, "write", lambda *_: False)
            assert ray.get(actor.digest.remote(value), timeout=BOUND) == digest(value)
    ray.get(actor.fill_the_memory.remote(), timeout=BOUND)
    value = crate()
    assert ray.get(actor.echo.remote(value), timeout=BOUND).content == value.content


def test_a_driver_without_shared_memory_uses_redis(on_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that runs where there is no /dev/shm."""
    import callboard as ray  # noqa: PLC0415 - joins under circumstances of its own

    monkeypatch.setenv("CALLBOARD_SHM_DIR", "/proc/nowhere")
    ray.init(on_stage.address)
    monkeypatch.undo()
    actor = hauler(ray)
    value = crate()
    for _ in range(2):
        found = ray.get(actor.echo.remote(value), timeout=BOUND)
        assert found.content == value.content
        assert not memoryview(found.content).readonly


def test_values_outlive_the_shutdown(ray: ModuleType) -> None:
    """What has been read stays, although nothing is left in the shared memory."""
    actor = hauler(ray)
    value = ray.get(actor.crate.remote(LARGE, 5), timeout=BOUND)
    ref = actor.crate.remote(LARGE, 6)
    ray.wait([ref], timeout=BOUND)
    ray.shutdown()
    assert in_segments() == []
    assert digest(value) == digest(b"\5" * LARGE)
    assert digest(ref._value()) == digest(b"\6" * LARGE)


def test_cancelled_calls_free_their_arguments(ray: ModuleType, gate: Path, notes: Notes) -> None:
    """One that waits, and one that runs and is not interrupted; those behind them run."""
    actor = ray.remote(Hauler).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    ray.get(actor.digest.remote(crate()), timeout=BOUND)
    runs, waits = actor.wait.remote(str(gate), crate()), actor.digest.remote(crate())
    value = crate()
    behind = actor.digest.remote(value)
    wait_until(lambda: notes.lines() == ["waits"], what="the call")
    ray.cancel(waits)
    ray.cancel(runs)
    for ref in (waits, runs):
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(ref, timeout=BOUND)
    assert len(in_segments()) == 1
    gate.touch()
    assert ray.get(behind, timeout=BOUND) == digest(value)
    # What the cancelled one gave all the same goes at a beat.
    wait_until(lambda: in_segments() == [], what="its outcome to go")


def test_refused_calls_leave_nothing(ray: ModuleType, gate: Path) -> None:
    """One that is too many is not written down, one that the actor's death answers is taken back."""
    actor = hauler(ray, max_pending_calls=1)
    ray.get(actor.digest.remote(crate()), timeout=BOUND)
    waits = actor.wait.remote(str(gate))
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded):
        actor.digest.remote(crate())
    assert in_segments() == []
    gate.touch()
    ray.get(waits, timeout=BOUND)
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.digest.remote(crate()), timeout=BOUND)
    assert in_segments() == []


def test_a_dead_letter_has_its_arguments(ray: ModuleType, on_stage: Stage, gate: Path) -> None:
    """Of actors whose calls may be set aside they are kept in Redis, as their segment goes with the outcome."""
    actor = hauler(ray, max_deliveries=3)
    value = crate()
    assert ray.get(actor.echo.remote(value), timeout=BOUND).content == value.content
    ref = actor.wait.remote(str(gate), value)
    assert in_segments() == []
    assert len(body_in_mailbox(on_stage, actor)) > LARGE
    gate.touch()
    assert ray.get(ref, timeout=BOUND).content == value.content


def test_a_lost_outcome_is_an_error(ray: ModuleType) -> None:
    """A value whose segment somebody has removed is lost, which `get` and whoever it is passed to say."""
    actor = hauler(ray)
    ref = actor.make.remote(LARGE)
    ray.wait([ref], timeout=BOUND)
    for path in in_segments():
        path.unlink()
    with pytest.raises(ray.exceptions.ObjectLostError, match="cleared the shared memory"):
        ray.get(ref, timeout=BOUND)
    with pytest.raises(ray.exceptions.ObjectLostError):
        ray.get(actor.digest.remote(ref), timeout=BOUND)
    (found,) = ray.get(actor.echo.remote([ref]), timeout=BOUND)
    with pytest.raises(ray.exceptions.ObjectLostError):
        ray.get(found, timeout=BOUND)
    assert ray.get(actor.digest.remote(b"1"), timeout=BOUND) == digest(b"1")


def test_small_values_ask_for_nothing(ray: ModuleType) -> None:
    """Where an actor is has not been looked up as long as nothing large was sent."""
    actor = hauler(ray)
    ray.get(actor.echo.remote([1, crate(10)]), timeout=BOUND)
    session = _session.current()
    assert session is not None
    assert session.client.parking._near == {}
