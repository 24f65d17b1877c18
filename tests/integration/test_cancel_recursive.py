"""C6: cancelling a call with all that it has called."""

import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support import errands
from tests.support.kinds import KINDS, Swift, create
from tests.support.mortals import Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard

BOUND = 10


class Foreman:
    """Has others work, in each way there is."""

    def __init__(self, notes: str) -> None:
        self._notes = Notes(notes)

    def delegate(self, hand: Any, gate: str, lines: list[str]) -> Any:
        """Call another actor for each line, and wait for all of it."""
        return callboard.get([hand.hold.remote(gate, line) for line in lines])

    def delegate_deeply(self, middle: Any, hand: Any, gate: str, line: str) -> Any:
        """Have somebody delegate who delegates."""
        return callboard.get(middle.delegate.remote(hand, gate, [line]))

    def order(self, notes: str, gate: str, line: str) -> Any:
        """Call a remote function."""
        return callboard.get(callboard.remote(errands.hold).remote(notes, gate, line))

    def queue_up(self, hand: Any, gate: str, line: str) -> Any:
        """Call an actor with what another call will return: it waits here."""
        first = hand.hold.remote(gate, f"{line} first")
        return callboard.get(hand.note.remote(first))

    def watch(self) -> bool:
        """Go on until cancelled."""
        self._notes.add("watches")
        while not callboard.get_runtime_context().is_canceled():
            threading.Event().wait(0.002)
        self._notes.add("cancelled")
        return True

    def beside(self, hand: Any, gate: str, line: str) -> str:
        """Call another actor in a thread of our own, and wait for the gate."""
        thread = threading.Thread(target=lambda: hand.hold.remote(gate, f"{line} beside"))
        thread.start()
        thread.join()
        callboard.get(hand.hold.remote(gate, line))
        return line


class AsyncForeman:
    """The same on an event loop."""

    async def delegate(self, hand: Any, gate: str, lines: list[str]) -> Any:
        """Call another actor for each line, and wait for all of it."""
        return [await ref for ref in [hand.hold.remote(gate, line) for line in lines]]


def about() -> list[Any]:
    """Tell what runs."""
    context = callboard.get_runtime_context()
    names = context.get_task_name(), context.get_task_function_name()
    return [context.get_task_id(), *names, context.is_canceled()]


class Speaker:
    """Tells what runs."""

    def about(self) -> list[Any]:
        """Tell it."""
        return about()


class AsyncSpeaker:
    """Tells what runs on an event loop."""

    async def about(self) -> list[Any]:
        """Tell it."""
        return about()


def delegate(hand: Any, gate: str, lines: list[str]) -> Any:
    """Do it in a remote function."""
    return callboard.get([hand.hold.remote(gate, line) for line in lines])


def delegation(kind: str, notes: Notes, *args: Any) -> Any:
    """Have one of a kind delegate."""
    if kind == "task":
        return callboard.remote(delegate).remote(*args)
    foreman: Any
    if kind == "async":
        foreman = callboard.remote(AsyncForeman).remote()
    else:
        options = callboard.remote(Foreman).options(max_concurrency=2 if kind == "threaded" else 1)
        foreman = options.remote(str(notes.path))
    return foreman.delegate.remote(*args)


@pytest.mark.parametrize("kind", ["serial", "threaded", "async", "task"])
def test_c6_what_a_call_has_called_is_cancelled(
    ray: ModuleType, on_stage: Stage, notes: Notes, gate: Path, kind: str
) -> None:
    """What runs there as what waits; others' calls to the same actor go on."""
    hand = create("async", notes, at_once=2)
    ref = delegation(kind, notes, hand, str(gate), ["one", "two", "three"])
    wait_until(lambda: "two began" in notes.lines(), what="two calls to run")
    mailbox = on_stage.broker.keys.mailbox(hand._actor_id)
    wait_until(lambda: on_stage.wire.call("XLEN", mailbox) == 3, what="the third to wait")
    other = hand.hold.remote(str(gate), "other")
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=BOUND)
    wait_until(lambda: {"one cancelled", "two cancelled"} <= set(notes.lines()), what="the calls to be cancelled")
    gate.touch()
    assert ray.get(other, timeout=BOUND) == "other"
    assert "three began" not in notes.lines()


@pytest.mark.parametrize("kind", ["serial", "async", "task"])
def test_c6_what_a_call_has_called_goes_on_when_asked_to(ray: ModuleType, notes: Notes, gate: Path, kind: str) -> None:
    """``recursive=False``."""
    hand = create("async", notes)
    ref = delegation(kind, notes, hand, str(gate), ["one"])
    wait_until(lambda: "one began" in notes.lines(), what="the call to run")
    ray.cancel(ref, recursive=False)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=BOUND)
    gate.touch()
    wait_until(lambda: "one ended" in notes.lines(), what="the call to end")


def test_c6_cancelling_goes_down_all_the_way(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """What is called by what the call has called is cancelled, too; and an actor that was interrupted serves on."""
    foremen = [ray.remote(Foreman).remote(str(notes.path)) for _ in range(2)]
    hand = create("async", notes)
    ref = foremen[0].delegate_deeply.remote(foremen[1], hand, str(gate), "one")
    wait_until(lambda: "one began" in notes.lines(), what="the call to run")
    ray.cancel(ref)
    wait_until(lambda: "one cancelled" in notes.lines(), what="the call to be cancelled")
    gate.touch()
    for foreman in foremen:
        assert ray.get(foreman.delegate.remote(hand, str(gate), ["two"]), timeout=BOUND) == ["two"]


def test_c6_tasks_and_waiting_calls_are_cancelled_with_their_caller(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """A remote function that the call has called, and what waits in its process for an argument."""
    foreman, hand = ray.remote(Foreman).remote(str(notes.path)), create("async", notes)
    ref = foreman.order.remote(str(notes.path), str(gate), "task")
    wait_until(lambda: "task began" in notes.lines(), what="the task to run")
    ray.cancel(ref)
    ref = foreman.queue_up.remote(hand, str(gate), "queued")
    wait_until(lambda: "queued first began" in notes.lines(), what="the next call to run")
    ray.cancel(ref)
    wait_until(lambda: "queued first cancelled" in notes.lines(), what="the first call to be cancelled")
    assert ray.get(foreman.delegate.remote(hand, str(gate.parent), ["next"]), timeout=BOUND) == ["next"]
    assert "task ended" not in notes.lines()


def test_c6_calls_of_its_own_threads_are_not_the_calls(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """What a thread calls that a method has started goes on."""
    foreman, hand = ray.remote(Foreman).remote(str(notes.path)), ray.remote(Swift).remote(str(notes.path))
    ref = foreman.beside.remote(hand, str(gate), "one")
    wait_until(lambda: {"one began", "one beside began"} <= set(notes.lines()), what="both calls to run")
    ray.cancel(ref)
    wait_until(lambda: "one cancelled" in notes.lines(), what="the call to be cancelled")
    gate.touch()
    wait_until(lambda: "one beside ended" in notes.lines(), what="the call of the thread to end")


@pytest.mark.parametrize("options", [{}, {"max_concurrency": 2}])
def test_a7_a_method_may_ask_whether_it_is_cancelled(ray: ModuleType, notes: Notes, options: dict[str, int]) -> None:
    """And stop early; the next call is not cancelled."""
    foreman = ray.remote(Foreman).options(**options).remote(str(notes.path))
    for _ in range(2):
        ref = foreman.watch.remote()
        wait_until(lambda: notes.lines()[-1:] == ["watches"], what="the method to run")
        ray.cancel(ref)
        wait_until(lambda: notes.lines()[-1:] == ["cancelled"], what="the method to stop")


@pytest.mark.parametrize("kind", ["serial", *KINDS])
def test_a7_a_call_knows_what_it_is(ray: ModuleType, kind: str) -> None:
    """Its id, its name, and its function; outside of calls there is none."""
    cls = AsyncSpeaker if kind == "async" else Speaker
    speaker = ray.remote(cls).options(max_concurrency=1 if kind == "serial" else 2).remote()
    ref = speaker.about.remote()
    known, name, function, cancelled = ray.get(ref, timeout=BOUND)
    assert known == ref.hex().replace("/", "-")
    assert name == f"{cls.__name__}.about"
    assert function == f"{__name__}.{cls.__name__}.about"
    assert cancelled is False
    here = ray.get_runtime_context()
    assert [here.get_task_id(), here.get_task_name(), here.get_task_function_name()] == [None, None, None]
    with pytest.raises(RuntimeError, match="where no call runs"):
        here.is_canceled()
    task = ray.remote(about).options(name="unusual").remote()
    assert ray.get(task, timeout=BOUND)[1:] == ["unusual", f"{__name__}.about", False]
