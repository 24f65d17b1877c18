"""A9: remote functions as jobs of RQ: what RQ's tools see, what nobody may forge, and what outlives whom."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import redis
from rq import Queue, Worker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from tests.support import errands
from tests.support.canary import Canary
from tests.support.company import Keeper
from tests.support.looking import wait_for_end
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor, supervisor_elsewhere
from tests.support.waiting import wait_until

from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.envelope import seal_fields
from callboard_broker.operations import tasks
from callboard_broker.records import TaskRecord
from callboard_broker.wire import mapping, text

if TYPE_CHECKING:
    from callboard_broker.packing import Argument

#: Seconds by which something that is not the 30 s of a timeout has happened.
BOUND = 10


@pytest.fixture
def connection(on_stage: Stage) -> Iterator[redis.Redis]:
    """Connect as RQ's tools do."""
    with redis.Redis.from_url(on_stage.address) as found:
        yield found


def job_of(ref: Any, connection: redis.Redis) -> Job:
    """Read the job of a task as RQ does."""
    return Job.fetch(ref.hex().replace("/", "-"), connection=connection, serializer=JSONSerializer)


def queue_of(ray: ModuleType, connection: redis.Redis) -> Queue:
    """Return the queue of this driver's usual tasks."""
    name = f"callboard-{ray.get_runtime_context().get_job_id()}"
    return Queue(name, connection=connection, serializer=JSONSerializer)


def test_a9_rq_reads_tasks_as_jobs(ray: ModuleType, notes: Notes, gate: Path, connection: redis.Redis) -> None:
    """In its queue, running, finished and failed; and the workers in its books."""
    hold = ray.remote(errands.hold).options(num_cpus=8, name="heavy")
    running, waiting = (hold.remote(str(notes.path), str(gate), line) for line in ("first", "second"))
    wait_until(lambda: "first began" in notes.lines(), what="the first task")
    job, other = job_of(running, connection), job_of(waiting, connection)
    assert (job.get_status(), other.get_status()) == (JobStatus.STARTED, JobStatus.QUEUED)
    assert (job.description, job.func_name, job.args) == ("heavy", "callboard.worker.run_task", [job.id])
    queue = Queue(job.origin, connection=connection, serializer=JSONSerializer)
    assert queue.job_ids == [other.id]
    assert queue.started_job_registry.get_job_ids() == [job.id]
    (worker,) = Worker.all(queue=queue)
    assert (worker.name, worker.get_state(), worker.pid) == (job.worker_name, "busy", notes.pid)
    gate.touch()
    ray.get([running, waiting], timeout=BOUND)
    with pytest.raises(ZeroDivisionError):
        ray.get(ray.remote(errands.divide).options(num_cpus=8, name="heavy").remote(1, 0), timeout=BOUND)
    assert job_of(running, connection).get_status() == JobStatus.FINISHED
    assert queue.finished_job_registry.get_job_ids() == [job.id, other.id]
    assert queue.failed_job_registry.count == 1
    assert 0 < connection.ttl(job.key) <= 500


def test_a9_rq_info_shows_queues_and_workers(
    ray: ModuleType, connection: redis.Redis, on_stage: Stage, notes: Notes, gate: Path
) -> None:
    """`rq info -u URL` is all that it takes."""
    ray.get([ray.remote(errands.add).remote(number) for number in range(5)], timeout=BOUND)
    name = queue_of(ray, connection).name
    rq = [sys.executable, "-m", "rq.cli", "info", "--raw", "-u", on_stage.address]

    def shown() -> str:
        return subprocess.run(rq, capture_output=True, text=True, check=True, timeout=30).stdout

    assert f"queue {name} 0, 0 executing, 5 finished, 0 failed" in shown()
    # Idle workers leave after a second, and a slow machine takes as long to start rq.
    held = ray.remote(errands.hold).remote(str(notes.path), str(gate), "held")
    wait_until(lambda: "held began" in notes.lines(), what="the task to begin")
    assert any(line.startswith("worker ") and f" busy {name}." in line for line in shown().splitlines())
    gate.touch()
    ray.get(held, timeout=BOUND)


def test_a9_what_ended_is_shown_within_bounds(ray: ModuleType, connection: redis.Redis) -> None:
    """The latest hundred, and no longer than some minutes."""
    ray.get([ray.remote(errands.add).remote(number) for number in range(130)], timeout=30)
    queue = queue_of(ray, connection)
    assert queue.finished_job_registry.count == 100
    assert 0 < connection.ttl(queue.finished_job_registry.key) <= 500
    assert len(list(connection.scan_iter(f"rq:job:{ray.get_runtime_context().get_worker_id()}-*"))) == 100


def test_a9_rqs_own_worker_runs_no_task(ray: ModuleType, notes: Notes, gate: Path, connection: redis.Redis) -> None:
    """It is told why; nothing of the task is in what it reads."""
    blocker = ray.remote(errands.hold).options(num_cpus=8).remote(str(notes.path), str(gate), "blocker")
    wait_until(lambda: "blocker began" in notes.lines(), what="the blocker")
    job = job_of(ray.remote(errands.tell).remote(str(notes.path), "told"), connection)
    with pytest.raises(RuntimeError, match="is run by the workers that callboard's supervisors start"):
        job.perform()
    gate.touch()
    ray.get(blocker, timeout=BOUND)
    wait_until(lambda: "told" in notes.lines(), what="the task to be run by its own worker")


@pytest.mark.parametrize("forgery", ["no mac", "wrong key", "other task", "other queue", "edited", "not a hash"])
def test_i9_a_forged_task_is_not_run(
    ray: ModuleType, tmp_path: Path, on_stage: Stage, connection: redis.Redis, forgery: str
) -> None:
    """Nothing in it is unpickled, nobody is answered, it is removed, and the next task runs."""
    ray.get(ray.remote(errands.add).remote(1), timeout=BOUND)
    broker, canary = on_stage.broker, tmp_path / "canary"
    queue = queue_of(ray, connection).name
    evil, honest = pickle.dumps(((Canary(canary),), {})), pickle.dumps(((1,), {}))
    me = ray.get_runtime_context().get_worker_id()
    told = [f"{me}/77".encode(), b"f" * 64, b"add", b"0", b"", queue.encode()]
    if forgery == "other queue":
        told[5] = b"callboard-elsewhere"
    forger = Broker(broker.address, ClusterKey(b"f" * 32)) if forgery == "wrong key" else broker
    signer = forger.signer("task", "another" if forgery == "other task" else "forged")
    body = honest if forgery == "edited" else evil
    fields: list[Argument] = [*seal_fields(signer, tasks.SIGNED, told, body), *TaskRecord().encode()]
    if forgery == "no mac":
        fields[fields.index("mac") + 1] = b""
    elif forgery == "edited":
        fields[fields.index("body") + 1] = evil
    if forgery == "not a hash":
        on_stage.wire.call("SET", broker.keys.task("forged"), "text")
    else:
        on_stage.wire.call("HSET", broker.keys.task("forged"), *fields)
    on_stage.wire.call("HSET", broker.keys.rq_job("forged"), "data", pickle.dumps(Canary(canary)), "origin", queue)
    on_stage.wire.call("RPUSH", broker.keys.rq_queue(queue), "forged")
    assert ray.get(ray.remote(errands.add).remote(2), timeout=BOUND) == 3
    assert not canary.exists()
    if forgery == "not a hash":
        on_stage.wire.call("DEL", broker.keys.task("forged"))
        wait_until(
            lambda: not on_stage.wire.call("EXISTS", broker.keys.rq_intermediate(queue)), what="it to be swept up"
        )
    wait_until(lambda: not on_stage.wire.call("EXISTS", broker.keys.task("forged")), what="the forged task to be gone")
    on_stage.wire.call("DEL", broker.keys.rq_job("forged"))


def test_i9_nothing_in_rqs_books_is_run(
    ray: ModuleType, tmp_path: Path, notes: Notes, gate: Path, on_stage: Stage, connection: redis.Redis
) -> None:
    """Functions, callbacks and results that somebody writes into a job of ours are not even looked at."""
    blocker = ray.remote(errands.hold).options(num_cpus=8).remote(str(notes.path), str(gate), "blocker")
    wait_until(lambda: "blocker began" in notes.lines(), what="the blocker")
    ref = ray.remote(errands.add).remote(1)
    canary = tmp_path / "canary"
    made = json.dumps(["os.mkdir", None, [str(canary)], {}])
    job = job_of(ref, connection)
    on_stage.wire.call(
        "HSET", job.key, "data", made, "success_callback_name", "os.getpid", "failure_callback_name", "os.getpid",
        "meta", pickle.dumps(Canary(canary)), "result", pickle.dumps(Canary(canary)), "created_at", "never",
    )  # fmt: skip
    deleted = ray.remote(errands.add).remote(2)
    connection.delete(job_of(deleted, connection).key)
    gate.touch()
    assert ray.get([ref, deleted, blocker], timeout=BOUND) == [2, 3, "blocker"]
    assert not canary.exists()


def test_a9_a_job_with_an_impossible_id_stops_nobody(ray: ModuleType, on_stage: Stage, connection: redis.Redis) -> None:
    """I10: Whatever lies in the queue, the next task runs."""
    ray.get(ray.remote(errands.add).remote(1), timeout=BOUND)
    queue = on_stage.broker.keys.rq_queue(queue_of(ray, connection).name)
    on_stage.wire.call("RPUSH", queue, "../..", b"\xff\xfe", "", "unknown", "a" * 1000)
    assert ray.get(ray.remote(errands.add).remote(2), timeout=BOUND) == 3


def test_a9_references_as_arguments(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """A5: A plain one is replaced by its value, for which the task waits; inside something else it stays one."""
    add = ray.remote(errands.add)
    assert ray.get(add.remote(add.remote(1), second=ray.put(5)), timeout=BOUND) == 7
    slow = ray.remote(errands.hold).remote(str(notes.path), str(gate), "slow")
    later = add.remote(slow, "er")
    assert ray.get(add.remote(1), timeout=BOUND) == 2
    gate.touch()
    assert ray.get(later, timeout=BOUND) == "slower"
    with pytest.raises(ZeroDivisionError):
        ray.get(add.remote(ray.remote(errands.divide).remote(1, 0)), timeout=BOUND)

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def look(refs: list[Any]) -> Any:
        return ray.get(refs[0]) * 2

    assert ray.get(look.remote([add.remote(20)]), timeout=BOUND) == 42


def test_a9_references_in_results(ray: ModuleType) -> None:
    """What a task puts or submits can be read, whether it is there already or not."""

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def several() -> list[Any]:
        return [ray.put("put"), ray.remote(errands.add).remote(1)]

    refs = ray.get(several.remote(), timeout=BOUND)
    assert ray.get(refs, timeout=BOUND) == ["put", 2]


def test_a9_a_worker_stays_for_what_others_hold(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """What a task has put and returned can be read long after the task, and then the worker leaves."""
    gate.touch()

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def give(notes: str, gate: str) -> list[Any]:
        return [ray.put(errands.hold(notes, gate, "kept"))]

    (ref,) = ray.get(give.remote(str(notes.path), str(gate)), timeout=BOUND)
    # A worker that nobody needs leaves, and this one has been idle for longer.
    other = ray.get(ray.remote(errands.pid).options(num_cpus=2).remote(), timeout=BOUND)
    wait_until(lambda: other not in on_stage.workers(), what="the idle worker to leave, which began to be idle later")
    assert ray.get(ref, timeout=BOUND) == "kept"
    assert notes.pid in on_stage.workers()
    del ref
    wait_until(lambda: notes.pid not in on_stage.workers(), what="the worker to leave")


def test_h4_handles_in_tasks(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """An argument of a task that waits or runs keeps the actor; so does a function that has captured the handle."""
    actor = ray.remote(Keeper).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def use(handle: Any, first: Any, until: str) -> Any:
        while not Path(until).exists():
            ray.wait([ray.put(1)])
        return ray.get(handle.note.remote(first))

    running = use.remote(actor, "argument", str(gate))
    waiting = use.options(num_cpus=8).remote(actor, "waiting argument", str(gate))
    record = on_stage.broker.keys.actor(actor._actor_id)
    del actor
    wait_until(lambda: len(on_stage.workers()) >= 2, what="the task to run")
    assert mapping(on_stage.wire.call("HGETALL", record))["sealed"] == b""
    gate.touch()
    assert ray.get([running, waiting], timeout=BOUND) == ["argument", "waiting argument"]
    wait_until(lambda: notes.lines()[-1] == "atexit", what="the actor to end with the last task that has it")


def test_h4_a_handle_that_a_function_has_captured(ray: ModuleType, notes: Notes) -> None:
    """It is released with the function: no worker remembers it."""
    actor = ray.remote(Mortal).remote(str(notes.path))

    def capturing(handle: Any) -> Any:
        return ray.remote(lambda: ray.get(handle.note.remote("captured")))

    function = capturing(actor)
    assert ray.get(function.remote(), timeout=BOUND) == "captured"
    assert ray.get(function.remote(), timeout=BOUND) == "captured"
    del actor, function
    wait_until(lambda: notes.lines()[-1] == "atexit", what="the actor to end")


def test_a9_the_environment_of_tasks(ray: ModuleType, tmp_path: Path) -> None:
    """`runtime_env` of a function, in workers of its own."""

    @ray.remote  # type: ignore[untyped-decorator,unused-ignore]
    def where() -> tuple[str | None, str, int]:
        return os.environ.get("FLAVOUR"), str(Path.cwd()), os.getpid()

    mint = where.options(runtime_env={"env_vars": {"FLAVOUR": "mint"}, "working_dir": str(tmp_path)})
    flavour, folder, process = ray.get(mint.remote(), timeout=BOUND)
    assert (flavour, folder) == ("mint", str(tmp_path))
    assert ray.get(where.remote(), timeout=BOUND)[0] is None
    assert ray.get(mint.remote(), timeout=BOUND)[2] == process


def test_a9_tasks_go_to_the_node_that_has_what_they_need(ray: ModuleType, on_stage: Stage) -> None:
    """They wait for it, and are offered to it by the others."""
    ref = ray.remote(errands.add).options(resources={"rare": 1}).remote(1)
    ready, _ = ray.wait([ref], timeout=0.5)
    assert ready == []
    with another_supervisor(on_stage, resources='{"rare": 1}'):
        assert ray.get(ref, timeout=20) == 2


def test_a9_a_node_that_closes_lets_its_tasks_end(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """SIGTERM of a supervisor: what runs is finished, what waits is left to others."""
    options = ["--num-cpus=1", '--resources={"here": 1}', f"--log-dir={on_stage.log_dir}"]
    command = [sys.executable, "-m", "callboard_supervisor", f"--address={on_stage.address}", *options]
    with subprocess.Popen(command) as supervisor:
        hold = ray.remote(errands.hold).options(resources={"here": 1})
        running, waiting = (hold.remote(str(notes.path), str(gate), line) for line in ("running", "waiting"))
        wait_until(lambda: "running began" in notes.lines(), what="the task", timeout=20)
        supervisor.send_signal(signal.SIGTERM)
        ready, _ = ray.wait([waiting, running], timeout=0.5)
        assert ready == []
        gate.touch()
        assert supervisor.wait(timeout=20) == 0
    assert ray.get(running, timeout=BOUND) == "running"
    assert "waiting began" not in notes.lines()
    with another_supervisor(on_stage, resources='{"here": 1}'):
        assert ray.get(waiting, timeout=20) == "waiting"


def test_a9_an_actor_gets_room_although_tasks_wait(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """Workers leave after their tasks for an actor that waits for CPUs; the others go on with what waits."""
    hold, later = ray.remote(errands.hold), gate.with_name("later")
    first = [hold.remote(str(notes.path), str(gate), f"{number}") for number in range(8)]
    wait_until(lambda: len(notes.lines()) == 8, what="all CPUs to be taken")
    rest = [hold.remote(str(notes.path), str(later), f"rest {number}") for number in range(20)]
    actor = ray.remote(Mortal).options(num_cpus=2).remote(str(notes.path.with_name("actor")))
    record = on_stage.broker.keys.actor(actor._actor_id)
    wait_until(lambda: on_stage.wire.call("HGET", record, "pending_reason"), what="the actor to wait")
    gate.touch()
    assert ray.get(actor.note.remote("served"), timeout=BOUND) == "served"
    wait_until(lambda: sum("rest" in line for line in notes.lines()) == 6, what="tasks to take what is left")
    later.touch()
    assert len(ray.get([*first, *rest], timeout=20)) == 28


def test_a9_workers_that_are_needed_give_way_to_an_actor(
    ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage
) -> None:
    """They own what somebody uses, so they stay, but take no task before the actor is there, however many wait."""
    with another_supervisor(on_stage, **{"resources": '{"here": 4}', "num-cpus": "4"}):
        here = {"here": 1}
        own = ray.remote(errands.own).options(resources=here)
        kept = ray.get([own.remote(str(notes.path), 4) for _ in range(4)], timeout=BOUND)
        hold, later = ray.remote(errands.hold).options(resources=here), gate.with_name("later")
        first = [hold.remote(str(notes.path), str(gate), f"{number}") for number in range(4)]
        wait_until(lambda: sum("began" in line for line in notes.lines()) == 4, what="all the room to be taken")
        rest = [hold.remote(str(notes.path), str(later), f"rest {number}") for number in range(8)]
        actor = ray.remote(Mortal).options(resources={"here": 2}).remote(str(notes.path.with_name("actor")))
        record = on_stage.broker.keys.actor(actor._actor_id)
        # At the node that is large enough, whichever heard of it first.
        wait_until(
            lambda: text(on_stage.wire.call("HGET", record, "pending_reason") or b"").startswith("waits for room"),
            what="the actor to wait",
        )
        gate.touch()
        assert ray.get(actor.note.remote("served"), timeout=BOUND) == "served"
        wait_until(lambda: sum("rest" in line for line in notes.lines()) >= 2, what="tasks to take what is left")
        later.touch()
        assert len(ray.get([*first, *rest], timeout=20)) == 12
        assert ray.get([ref for (ref,) in kept], timeout=BOUND) == ["kept"] * 4


def test_a9_a_task_outlives_its_supervisor(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """What runs goes on and is answered; a worker that dies then is found by another supervisor."""
    with another_supervisor(on_stage, resources='{"here": 2}') as first:
        hold = ray.remote(errands.hold).options(resources={"here": 1})
        kept = hold.remote(str(notes.path), str(gate), "kept")
        wait_until(lambda: "kept began" in notes.lines(), what="the task")
        other = Notes(notes.path.with_name("others"))
        lost = hold.options(max_retries=0).remote(str(other.path), str(gate), "lost")
        wait_until(lambda: "lost began" in other.lines(), what="the other task")
        os.kill(first.pid, signal.SIGKILL)
        wait_for_end(first.pid)
        os.kill(other.pid, signal.SIGKILL)
        with pytest.raises(ray.exceptions.WorkerCrashedError):
            ray.get(lost, timeout=BOUND)
        gate.touch()
        assert ray.get(kept, timeout=BOUND) == "kept"


def test_a9_the_task_of_a_lost_node_is_run_again(ray: ModuleType, notes: Notes, gate: Path, on_stage: Stage) -> None:
    """No heartbeat of its worker for the timeout: it goes to another node."""
    with supervisor_elsewhere(on_stage, '--resources={"far": 1}'):
        ref = ray.remote(errands.hold).options(resources={"far": 1}).remote(str(notes.path), str(gate), "run")
        wait_until(lambda: "run began" in notes.lines(), what="the task", timeout=20)
        first = notes.pid
        os.kill(first, signal.SIGSTOP)
        with another_supervisor(on_stage, resources='{"far": 1}'):
            wait_until(lambda: notes.count("run began") == 2, what="the task to run again", timeout=20)
            gate.touch()
            assert ray.get(ref, timeout=BOUND) == "run"
            os.kill(first, signal.SIGCONT)
            wait_for_end(first, timeout=20)
        assert notes.count("run ended") >= 1
