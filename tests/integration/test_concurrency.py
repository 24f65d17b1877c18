"""C1 to C5: threaded and async actors, concurrency groups, limits, pending arguments; L1: what they run."""

import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.kinds import KINDS, Several, Swift, create
from tests.support.looking import state
from tests.support.mortals import Mortal, Notes, pass_gate
from tests.support.waiting import wait_until

BOUND = 10


def began(notes: Notes) -> int:
    """Count the calls that have begun."""
    return sum(line.endswith(" began") for line in notes.lines())


def test_c1_a_plain_class_is_serial_on_the_main_thread(ray: ModuleType, notes: Notes) -> None:
    """One call at a time, in order, on the main thread."""
    actor = ray.remote(Several).remote(str(notes.path))
    assert set(ray.get([actor.thread.remote() for _ in range(20)], timeout=BOUND)) == {"MainThread"}
    notes.path.with_name("open").touch()
    ray.get([actor.hold.remote(str(notes.path.with_name("open")), f"{number}") for number in range(5)], timeout=BOUND)
    assert notes.lines()[1:] == [f"{number} {what}" for number in range(5) for what in ("began", "ended")]


def test_c1_so_many_threads_as_were_asked_for(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """`max_concurrency=3` runs three calls at once, none on the main thread, and begins in order."""
    actor = create("threaded", notes)
    refs = [actor.hold.remote(str(gate), f"{number}") for number in range(5)]
    wait_until(lambda: began(notes) == 3, what="three calls")
    assert sorted(notes.lines()[1:]) == ["0 began", "1 began", "2 began"]
    assert ray.wait(refs, timeout=0)[0] == []
    gate.touch()
    assert ray.get(refs, timeout=BOUND) == [str(number) for number in range(5)]
    assert "MainThread" not in ray.get([actor.thread.remote() for _ in range(20)], timeout=BOUND)


def test_c1_what_was_quick_may_wait_for_what_comes_after_it(ray: ModuleType) -> None:
    """Quick methods may take turns in one thread, but when one blocks, others run beside it."""

    class Door:
        def __init__(self) -> None:
            self._open = threading.Event()

        def open(self) -> None:
            self._open.set()

        def shut(self) -> None:
            self._open.clear()

        def enter(self, seconds: float) -> bool:
            return self._open.wait(seconds)

    door = ray.remote(Door).options(max_concurrency=4).remote()
    for _ in range(5):
        ray.get([door.open.remote(), *(door.enter.remote(BOUND) for _ in range(200))], timeout=BOUND)
        ray.get(door.shut.remote(), timeout=BOUND)
        entering = [door.enter.remote(BOUND) for _ in range(3)]
        door.open.remote()
        assert ray.get(entering, timeout=BOUND) == [True] * 3


def test_c2_an_async_actor_runs_a_thousand_calls_at_once(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Without `max_concurrency` it is 1000; the others wait until one has ended."""
    actor = ray.remote(Swift).remote(str(notes.path))
    refs = [actor.hold.remote(str(gate), f"{number}") for number in range(1100)]
    wait_until(lambda: began(notes) >= 1000, what="a thousand calls", timeout=30)
    assert ray.wait(refs, num_returns=1100, timeout=0.1)[0] == []
    assert began(notes) == 1000
    gate.touch()
    assert ray.get(refs, timeout=30) == [str(number) for number in range(1100)]


def test_c2_one_loop_on_the_main_thread(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Coroutines and plain methods of an async actor run on one event loop, and so does the constructor."""

    class Founder(Swift):
        def __init__(self, notes: str) -> None:
            super().__init__(notes)
            import asyncio  # noqa: PLC0415 - pickled by value

            self._started = asyncio.get_running_loop().create_task(self.loop())

        async def in_constructor(self) -> bool:
            return await self._started

    actor = ray.remote(Founder).remote(str(notes.path))
    gate.touch()
    assert ray.get([actor.loop.remote(), actor.in_constructor.remote(), actor.blocks.remote(str(gate))], timeout=BOUND)


def test_c2_awaiting_and_getting_inside(ray: ModuleType, notes: Notes) -> None:
    """`await ref`, `asyncio.gather` and `get` work in coroutines."""
    actor = ray.remote(Swift).remote(str(notes.path))
    other = ray.remote(Mortal).remote(str(notes.path.with_name("other")))
    assert ray.get(actor.ask.remote(other, "note", "awaited"), timeout=BOUND) == "awaited"
    assert ray.get(actor.ask_all.remote(other, "note", ["a", "b", "c"]), timeout=BOUND) == ["a", "b", "c"]
    assert ray.get(actor.get.remote(other, "note", "got"), timeout=BOUND) == "got"


def test_c2_awaiting_an_error_inside(ray: ModuleType, notes: Notes) -> None:
    """What is awaited may raise, and its type arrives through both actors."""
    actor = ray.remote(Swift).remote(str(notes.path))
    other = ray.remote(Mortal).remote(str(notes.path.with_name("other")))
    with pytest.raises(LookupError):
        ray.get(actor.ask.remote(other, "raises", LookupError("far away")), timeout=BOUND)


class Grouped:
    """Methods in groups."""

    def __init__(self, notes: str) -> None:
        self._notes = Notes(notes)

    def hold(self, gate: str, line: str) -> str:
        """Note a line and wait for a gate."""
        self._notes.add(f"{line} began")
        pass_gate(gate)
        return line

    def plain(self) -> str:
        """Return something at once."""
        return threading.current_thread().name


def grouped(ray: ModuleType, notes: Notes, **options: Any) -> Any:
    """Create an actor with a method that is marked for a group."""

    class Marked(Grouped):
        @ray.method(concurrency_group="io")  # type: ignore[untyped-decorator,unused-ignore]
        def marked(self, gate: str, line: str) -> str:
            return self.hold(gate, line)

    return ray.remote(concurrency_groups={"io": 2, "cpu": 1}, **options)(Marked).remote(str(notes.path))


def test_c3_groups_have_limits_of_their_own(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """A full group does not hold the others; the default group of a class with plain methods runs one call."""
    actor = grouped(ray, notes)
    refs = [actor.marked.remote(str(gate), f"{number}") for number in range(4)]
    wait_until(lambda: began(notes) == 2, what="two calls of the group")
    assert ray.get(actor.plain.remote(), timeout=BOUND) != "MainThread"
    held = [actor.hold.remote(str(gate), f"default {number}") for number in range(2)]
    wait_until(lambda: began(notes) == 3, what="a call of the default group")
    assert ray.get(actor.plain.options(concurrency_group="cpu").remote(), timeout=BOUND)
    assert began(notes) == 3
    gate.touch()
    assert len(ray.get([*refs, *held], timeout=BOUND)) == 6


def test_c3_the_nearer_group_wins(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """`.options(concurrency_group=)` moves one call to another group."""
    actor = grouped(ray, notes)
    refs = [actor.marked.remote(str(gate), f"{number}") for number in range(2)]
    wait_until(lambda: began(notes) == 2, what="two calls of the group")
    moved = actor.marked.options(concurrency_group="cpu").remote(str(gate), "moved")
    wait_until(lambda: "moved began" in notes.lines(), what="the call in the other group")
    gate.touch()
    assert len(ray.get([*refs, moved], timeout=BOUND)) == 3


def test_c3_groups_of_an_async_actor(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """They bound how many coroutines are under way."""
    actor = ray.remote(concurrency_groups={"io": 2})(Swift).remote(str(notes.path))
    hold = actor.hold.options(concurrency_group="io")
    refs = [hold.remote(str(gate), f"{number}") for number in range(5)]
    wait_until(lambda: began(notes) == 2, what="two calls of the group")
    refs += [actor.hold.remote(str(gate), f"default {number}") for number in range(5)]
    wait_until(lambda: began(notes) == 7, what="all calls of the default group")
    gate.touch()
    assert len(ray.get(refs, timeout=BOUND)) == 10


def test_c3_an_unknown_group_is_an_error_of_that_call(ray: ModuleType, notes: Notes) -> None:
    """It names the group and those that there are, and the actor lives on."""
    actor = grouped(ray, notes)
    with pytest.raises(ValueError, match=r"'nope'.* io, cpu"):
        actor.plain.options(concurrency_group="nope").remote()
    with pytest.raises(ValueError, match=r"'io'.*none"):
        ray.remote(Mortal).remote(str(notes.path)).note.options(concurrency_group="io").remote("x")
    assert ray.get(actor.plain.remote(), timeout=BOUND)


def test_c3_a_method_marked_for_a_group_that_the_actor_lacks(ray: ModuleType) -> None:
    """Creating the actor says so."""

    class Marked:
        @ray.method(concurrency_group="io")  # type: ignore[untyped-decorator,unused-ignore]
        def marked(self) -> None:
            pass

    with pytest.raises(ValueError, match=r"Marked\.marked is marked for the concurrency group 'io'"):
        ray.remote(Marked).remote()


def test_c4_a_limit_of_unfinished_calls(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """The call beyond it raises at once; what has come makes room without being read."""
    actor = ray.remote(Several).options(max_pending_calls=3).remote(str(notes.path))
    refs = [actor.hold.remote(str(gate), f"{number}") for number in range(3)]
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded, match="max_pending_calls=3"):
        actor.thread.remote()
    gate.touch()
    wait_until(lambda: "2 ended" in notes.lines(), what="the calls to end")

    def taken() -> bool:
        try:
            return bool(ray.get(actor.thread.remote(), timeout=BOUND))
        except ray.exceptions.PendingCallsLimitExceeded:
            return False

    wait_until(taken, what="room for a call")
    assert ray.get(refs, timeout=BOUND) == ["0", "1", "2"]


def test_c4_the_limit_travels_with_the_handle(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """A handle found by name knows it, and each process has a limit of its own."""
    ray.remote(Several).options(max_pending_calls=1, name="bounded", lifetime="detached").remote(str(notes.path))
    actor = ray.get_actor("bounded")
    ref = actor.hold.remote(str(gate), "first")
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded):
        actor.thread.remote()
    gate.touch()
    assert ray.get(ref, timeout=BOUND) == "first"
    ray.kill(actor)


@pytest.mark.parametrize("kind", KINDS)
def test_c5_a_pending_argument_holds_nobody_else(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """Calls after one whose argument is pending go on, on actors that promise no order."""
    slow = ray.remote(Several).remote(str(notes.path.with_name("slow")))
    actor = create(kind, notes)
    pending = slow.hold.remote(str(gate), "value")
    waiting = actor.note.remote(pending)
    assert ray.get(actor.note.remote("overtakes"), timeout=BOUND) == "overtakes"
    assert ray.wait([waiting], timeout=0)[0] == []
    gate.touch()
    assert ray.get(waiting, timeout=BOUND) == "value"
    assert notes.lines()[1:] == ["overtakes", "value"]


@pytest.mark.parametrize("kind", KINDS)
def test_l1_the_current_calls_of_an_actor_that_runs_several(
    ray: ModuleType, notes: Notes, gate: Path, kind: str
) -> None:
    """Their methods are known, whether threads or coroutines run them, until they have ended."""
    actor = create(kind, notes)
    refs = [actor.hold.remote(str(gate), f"{number}") for number in range(2)]
    wait_until(lambda: state(actor).current_call == "hold (2)", what="both calls to run")
    gate.touch()
    ray.get(refs, timeout=BOUND)
    wait_until(lambda: state(actor).current_call is None, what="their ends")
