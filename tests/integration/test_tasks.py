"""A9: remote functions: results, errors, retries, nesting, cancelling."""

import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support import errands
from tests.support.mortals import Mortal, Notes, pass_gate
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard_broker.wire import mapping

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10


def test_a9_results_and_arguments(ray: ModuleType) -> None:
    """Arguments by position and keyword; defaults; several results; none."""
    add = ray.remote(errands.add)
    assert ray.get(add.remote(1, 2), timeout=BOUND) == 3
    assert ray.get([add.remote(number) for number in range(20)], timeout=BOUND) == list(range(1, 21))
    assert ray.get(add.remote(second="b", first="a"), timeout=BOUND) == "ab"
    first, second = add.options(num_returns=2).remote((1,), (2,))
    assert ray.get([second, first], timeout=BOUND) == [2, 1]
    assert add.options(num_returns=0).remote(1) is None


def test_a9_functions_of_this_process_travel_by_value(ray: ModuleType) -> None:
    """Also with what they capture."""
    outer = 5

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def local(number: int) -> tuple[int, int]:
        return number * outer, os.getpid()

    product, process = ray.get(local.remote(4), timeout=BOUND)
    assert product == 20
    assert process != os.getpid()


def test_a9_a_function_is_not_called_directly(ray: ModuleType) -> None:
    """The error has the right spelling; wrong arguments are refused where they are written."""
    add = ray.remote(num_cpus=1)(errands.add)
    with pytest.raises(TypeError, match=r"Instead of running 'add\(\)', try 'add.remote\(\)'"):
        add(1)
    with pytest.raises(TypeError, match="missing a required argument: 'first'"):
        add.remote()
    with pytest.raises(TypeError, match="argument 0 of type lock"):
        add.remote(__import__("threading").Lock())
    with pytest.raises(ValueError, match="'async def' should not be used for remote functions"):
        ray.remote(_coroutine)


async def _coroutine() -> None: ...


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max_task_retries": 1}, ValueError, "that of remote functions is max_retries"),
        ({"max_restarts": 1}, ValueError, "It is an option of actors or of their methods"),
        ({"max_retries": -2}, ValueError, "'max_retries' only accepts None, 0, -1 or a positive integer"),
        ({"num_cpu": 1}, ValueError, "Did you mean 'num_cpus'"),
        ({"retry_exceptions": 5}, TypeError, "retry_exceptions"),
    ],
)
def test_a9_options_are_checked(ray: ModuleType, options: dict[str, Any], error: type[Exception], words: str) -> None:
    """In the decorator and in `.options()`."""
    with pytest.raises(error, match=words):
        ray.remote(**options)(errands.add)
    with pytest.raises(error, match=words):
        ray.remote(errands.add).options(**options)


def test_a9_what_a_function_raises_arrives(ray: ModuleType) -> None:
    """As an instance of its class and of `RayTaskError`, with where it was raised."""
    with pytest.raises(ZeroDivisionError) as caught:
        ray.get(ray.remote(errands.divide).remote(1, 0), timeout=BOUND)
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert "callboard::divide()" in str(caught.value)
    assert "return first / second" in str(caught.value)


def test_a9_retry_exceptions(ray: ModuleType, notes: Notes) -> None:
    """Only those that are named, and only as often as `max_retries` says."""
    stagger = ray.remote(errands.stagger)
    told = str(notes.path)
    with pytest.raises(KeyError):
        ray.get(stagger.remote(told, "never", KeyError, 1), timeout=BOUND)
    assert notes.count("never") == 1
    assert ray.get(stagger.options(retry_exceptions=True).remote(told, "all", KeyError, 3), timeout=BOUND) == "all"
    listed = stagger.options(retry_exceptions=[KeyError], max_retries=2)
    assert ray.get(listed.remote(told, "listed", KeyError, 2), timeout=BOUND) == "listed"
    with pytest.raises(ValueError, match="other"):
        ray.get(listed.remote(told, "other", ValueError, 1), timeout=BOUND)
    with pytest.raises(KeyError):
        ray.get(listed.remote(told, "too often", KeyError, 3), timeout=BOUND)
    assert notes.count("too often") == 3


@pytest.mark.parametrize("way", ["SIGKILL", "os._exit(7)", "sys.exit(3)"])
def test_a9_a_task_whose_worker_dies_is_run_again(ray: ModuleType, notes: Notes, way: str) -> None:
    """Three times, unless `max_retries` says otherwise; then it is a `WorkerCrashedError` that says how it died."""
    die = ray.remote(errands.die)
    told = str(notes.path)
    assert ray.get(die.remote(told, "usual", way, 3), timeout=BOUND) == "usual"
    assert notes.count("usual") == 4
    with pytest.raises(ray.exceptions.WorkerCrashedError, match=r"\(die\): .*retries: 0 of 0 used"):
        ray.get(die.options(max_retries=0).remote(told, "none", way, 1), timeout=BOUND)
    assert notes.count("none") == 1
    with pytest.raises(ray.exceptions.WorkerCrashedError, match="retries: 1 of 1 used"):
        ray.get(die.options(max_retries=1).remote(told, "one", way, 9), timeout=BOUND)
    assert ray.get(die.options(max_retries=-1).remote(told, "for ever", way, 5), timeout=BOUND) == "for ever"


def test_a9_others_do_not_suffer_from_a_crash(ray: ModuleType, notes: Notes) -> None:
    """Those that wait run all the same, each once."""
    told = str(notes.path)
    crashing = [ray.remote(errands.die).options(max_retries=0).remote(told, "die", "SIGKILL", 99) for _ in range(5)]
    others = [ray.remote(errands.tell).remote(told, f"{number}") for number in range(40)]
    assert ray.get(others, timeout=BOUND) == [f"{number}" for number in range(40)]
    for ref in crashing:
        with pytest.raises(ray.exceptions.WorkerCrashedError):
            ray.get(ref, timeout=BOUND)
    assert all(notes.count(f"{number}") == 1 for number in range(40))


def test_a9_tasks_wait_for_tasks_beyond_the_number_of_cpus(ray: ModuleType) -> None:
    """Twelve that wait for each other on eight CPUs: one that waits lends its room."""
    processes = ray.get(ray.remote(errands.descend).remote(12), timeout=30)
    assert len(set(processes)) == 13


def test_a9_no_more_tasks_run_at_once_than_there_are_cpus(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """A task takes one, unless it says otherwise; what does not fit waits."""
    hold = ray.remote(errands.hold)
    heavy = [hold.options(num_cpus=4).remote(str(notes.path), str(gate), f"heavy {number}") for number in range(3)]
    wait_until(lambda: len(notes.lines()) == 2, what="two tasks with four of eight CPUs each")
    light = hold.remote(str(notes.path), str(gate), "light")
    ready, _ = ray.wait([*heavy, light], timeout=0.5)
    assert ready == []
    assert len(notes.lines()) == 2
    gate.touch()
    assert ray.get(light, timeout=BOUND) == "light"
    assert len(ray.get(heavy, timeout=BOUND)) == 3


def test_a9_a_cancelled_task_never_runs(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Those before and behind it do."""
    hold, tell = ray.remote(errands.hold).options(num_cpus=8), ray.remote(errands.tell).options(num_cpus=8)
    running = hold.remote(str(notes.path), str(gate), "running")
    wait_until(lambda: "running began" in notes.lines(), what="the first task")
    refs = [tell.remote(str(notes.path), f"{number}") for number in range(4)]
    ray.cancel(refs[1])
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(refs[1], timeout=0)
    gate.touch()
    assert ray.get([running, refs[0], refs[2], refs[3]], timeout=BOUND) == ["running", "0", "2", "3"]
    assert "1" not in notes.lines()


def test_a9_a_running_task_is_interrupted(ray: ModuleType, notes: Notes) -> None:
    """By a KeyboardInterrupt; its caller need not wait for that."""

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def endless(path: str) -> None:
        told = Notes(path)
        told.add("began")
        try:
            pass_gate("/nowhere/at/all")
        except KeyboardInterrupt:
            told.add("interrupted")
            raise

    ref = endless.remote(str(notes.path))
    wait_until(lambda: "began" in notes.lines(), what="the task")
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=BOUND)
    wait_until(lambda: "interrupted" in notes.lines(), what="the interrupt")
    assert ray.get(ray.remote(errands.add).remote(1), timeout=BOUND) == 2


def test_a9_a_running_task_is_cancelled_by_force(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """Its worker is killed, and it is not run again."""
    ref = ray.remote(errands.hold).remote(str(notes.path), str(gate), "stubborn")
    wait_until(lambda: "stubborn began" in notes.lines(), what="the task")
    process = notes.pid
    assert process in on_stage.workers()
    ray.cancel(ref, force=True)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=BOUND)
    wait_until(lambda: process not in on_stage.workers(), what="the worker to be killed")
    assert ray.get(ray.remote(errands.add).remote(1), timeout=BOUND) == 2
    assert notes.lines() == ["stubborn began"]


def test_a9_a_task_that_waits_for_its_argument_is_cancelled(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """It is never submitted."""
    blocker = ray.remote(errands.hold).remote(str(notes.path), str(gate), "blocker")
    ref = ray.remote(errands.tell).remote(str(notes.path), blocker)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=0)
    gate.touch()
    assert ray.get(blocker, timeout=BOUND) == "blocker"


def test_a9_a_dead_caller_does_not_take_its_tasks_with_it(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """What an actor submitted runs although it has been killed."""

    class Caller:
        def submit(self, told: str, until: str) -> None:
            ray.remote(errands.hold).remote(told, until, "kept")
            ray.get_runtime_context()

    caller = ray.remote(Caller).remote()
    ray.get(caller.submit.remote(str(notes.path), str(gate)), timeout=BOUND)
    wait_until(lambda: "kept began" in notes.lines(), what="the task")
    ray.kill(caller)
    gate.touch()
    wait_until(lambda: "kept ended" in notes.lines(), what="the end of the task")


def test_a9_the_runtime_context_in_a_task(ray: ModuleType, on_stage: Stage) -> None:
    """Whose task it is, and where; X2: there is no actor to leave."""

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def about() -> tuple[Any, ...]:
        context = ray.get_runtime_context()
        try:
            ray.actor.exit_actor()
        except TypeError as error:
            refusal = str(error)
        return (
            context.get_task_id(), context.get_actor_id(), context.get_job_id(), context.namespace,
            context.get_node_id(), refusal,
        )  # fmt: skip

    here = ray.get_runtime_context()
    ref = about.remote()
    task, actor, job, namespace, node, refusal = ray.get(ref, timeout=BOUND)
    assert task == ref.hex().replace("/", "-")
    assert (actor, job, namespace) == (None, here.get_job_id(), here.namespace)
    assert on_stage.wire.call("EXISTS", on_stage.broker.keys.node(node)) == 1
    assert refusal.startswith("exit_actor() was called outside an actor")
    assert here.get_task_id() is None


def test_a9_a_killed_worker_is_noticed_at_once(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """What it ran is back in its queue, charged, before any heartbeat could be missed."""
    ref = ray.remote(errands.hold).remote(str(notes.path), str(gate), "run")
    wait_until(lambda: "run began" in notes.lines(), what="the task")
    task = on_stage.broker.keys.task(ref.hex().replace("/", "-"))
    first = mapping(on_stage.wire.call("HGETALL", task))["worker"]
    os.kill(notes.pid, signal.SIGKILL)
    wait_until(lambda: notes.count("run began") == 2, what="the task to run again", timeout=1.0)
    stored = mapping(on_stage.wire.call("HGETALL", task))
    assert stored["attempts"] == b"1"
    assert stored["worker"] != first
    gate.touch()
    assert ray.get(ref, timeout=BOUND) == "run"


def test_a9_generator_functions_stream(ray: ModuleType, notes: Notes) -> None:
    """A6: Item by item; after a crash each item comes once; a generator that is dropped ends the task."""
    trickle = ray.remote(errands.trickle)
    assert [ray.get(ref, timeout=BOUND) for ref in trickle.remote(5)] == [0, 1, 2, 3, 4]
    told = str(notes.path)
    assert [ray.get(ref, timeout=BOUND) for ref in trickle.remote(5, told, 3)] == [0, 1, 2, 3, 4]
    assert notes.lines() == ["0", "1", "2", "3", "0", "1", "2", "3", "4"]
    slow = trickle.options(_generator_backpressure_num_objects=2).remote(1000, f"{told}-slow")
    assert [ray.get(next(slow), timeout=BOUND) for _ in range(3)] == [0, 1, 2]
    del slow
    wait_until(lambda: ray.get(ray.remote(errands.add).remote(1), timeout=BOUND) == 2, what="another task")
    assert len(Notes(f"{told}-slow").lines()) < 1000


def test_o5_an_actor_made_inside_a_task_lives_on(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """O5: While its handle is held and that worker lives, which stays for its sake; it dies with the worker."""
    held = ray.remote(errands.hold).remote(str(notes.path), str(gate), "other")
    wait_until(lambda: "other began" in notes.lines(), what="another worker")
    other = notes.pid
    process, actor = ray.get(ray.remote(errands.keep).remote(Mortal, str(notes.path)), timeout=BOUND)
    child = ray.get(actor.pid.remote(), timeout=BOUND)
    gate.touch()
    ray.get(held, timeout=BOUND)
    wait_until(lambda: other not in on_stage.workers(), what="the idle worker to leave, which began to be idle later")
    assert ray.get(actor.note.remote("still here"), timeout=BOUND) == "still here"
    assert {process, child} <= on_stage.workers()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: child not in on_stage.workers(), what="the actor's end")
    with pytest.raises(ray.exceptions.ActorDiedError, match="owner"):
        ray.get(actor.note.remote("late"), timeout=BOUND)


def test_o5_an_actor_made_inside_a_task_is_dropped_with_its_handle(
    ray: ModuleType, notes: Notes, on_stage: Stage
) -> None:
    """O5: H1 holds for it as for any other; nothing keeps its worker then."""
    process, actor = ray.get(ray.remote(errands.keep).remote(Mortal, str(notes.path)), timeout=BOUND)
    ray.get(actor.pid.remote(), timeout=BOUND)
    del actor
    wait_until(lambda: "atexit" in notes.lines(), what="the actor's end")
    wait_until(lambda: process not in on_stage.workers(), what="the worker to leave")
