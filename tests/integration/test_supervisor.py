"""The supervisor: several on one Redis, its death and its successor, its clean end."""

import contextlib
import os
import signal
import subprocess
import sys
from types import ModuleType

import psutil
import pytest
from tests.support.looking import beats, record, times_asked, wait_for_end, wait_for_restart
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.supervisors import another_supervisor, nodes, supervisor_elsewhere
from tests.support.waiting import wait_until

import callboard
from callboard_broker.wire import items, text


class Worker:
    def __init__(self) -> None:
        self.calls = 0

    def pid(self) -> int:
        self.calls += 1
        return os.getpid()

    def count(self) -> int:
        return self.calls

    def node(self) -> str:
        return str(callboard.get_runtime_context().get_node_id())


def test_creations_are_spread_over_supervisors(ray: ModuleType, on_stage: Stage) -> None:
    """Two supervisors on one Redis both get actors."""
    with another_supervisor(on_stage):
        workers = [ray.remote(Worker).remote() for _ in range(20)]
        assert len(set(ray.get([worker.node.remote() for worker in workers], timeout=20))) == 2
        del workers
        wait_until(lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go")


def test_custom_resources_decide_where_an_actor_runs(ray: ModuleType, on_stage: Stage) -> None:
    """An actor waits, and says why, until a node has what it needs."""
    stuck = ray.remote(resources={"gpu": 1})(Worker).remote()
    ref = stuck.node.remote()
    actor = stuck._actor_id
    wait_until(lambda: "gpu=1" in record(on_stage, actor).pending_reason, what="a reason")
    with another_supervisor(on_stage, resources='{"gpu": 1}'):
        assert ray.get(ref, timeout=20)
        del stuck, ref
        wait_until(lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go")


def test_actors_wait_at_a_node_that_is_large_enough(ray: ModuleType, on_stage: Stage) -> None:
    """Whichever heard of them first: only there tasks give way to them, and their reason is the true one."""
    with another_supervisor(on_stage, resources='{"gpu": 1}'):
        first = ray.remote(resources={"gpu": 1})(Worker).remote()
        node = ray.get(first.node.remote(), timeout=20)
        free = ("HGET", on_stage.broker.keys.node(node), "free")
        wait_until(lambda: '"gpu": 0' in text(on_stage.wire.call(*free)), what="the node to say that it is full")
        others = [ray.remote(resources={"gpu": 1})(Worker).remote() for _ in range(20)]
        names = [other._actor_id for other in others]
        wait_until(
            lambda: all(record(on_stage, name).pending_reason == "waits for room: needs gpu=1" for name in names),
            what="all of them to be there",
        )
        del first
        ray.get(others[0].pid.remote(), timeout=20)
        others.clear()
        wait_until(lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go")


def test_actors_that_nobody_can_run_cost_little(ray: ModuleType, on_stage: Stage) -> None:
    """While they wait nobody reads their records over and over, so others are not held up."""
    stuck = [ray.remote(resources={"gpu": 1})(Worker).remote() for _ in range(60)]
    wait_until(lambda: "gpu=1" in record(on_stage, stuck[-1]._actor_id).pending_reason, what="a reason")
    (node,) = map(text, items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.nodes)))
    began, before = beats(on_stage, node), times_asked(on_stage.wire, "hgetall")
    wait_until(lambda: beats(on_stage, node) >= began + 3, what="some time to pass")
    assert times_asked(on_stage.wire, "hgetall") - before < len(stuck)
    for actor in stuck:
        ray.kill(actor)
    wait_until(lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go")


def test_workers_outlive_their_supervisor_and_are_adopted(ray: ModuleType, on_stage: Stage) -> None:
    """SIGKILL of a supervisor costs no restart: the next one on the host takes its workers over, state and all."""
    with another_supervisor(on_stage, resources='{"here": 1}') as first:
        worker = ray.remote(resources={"here": 1}, max_restarts=1)(Worker).remote()
        pid = ray.get(worker.pid.remote(), timeout=10)
        actor = worker._actor_id
        old = record(on_stage, actor).node
        os.kill(first.pid, signal.SIGKILL)
        assert ray.get(worker.pid.remote(), timeout=10) == pid
        wait_until(lambda: record(on_stage, actor).node != old, what="another node to take over")
        assert ray.get([worker.pid.remote(), worker.count.remote()], timeout=10) == [pid, 3]
        assert record(on_stage, worker._actor_id).num_restarts == 0
        with another_supervisor(on_stage, resources='{"here": 1}'):
            os.kill(pid, signal.SIGKILL)
            wait_for_restart(worker, 1)
            assert ray.get(worker.count.remote(), timeout=20) == 0
            assert record(on_stage, worker._actor_id).num_restarts == 1
            del worker
            wait_until(
                lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go"
            )


def test_a_supervisor_that_died_leaves_no_dead_actor_behind(ray: ModuleType, on_stage: Stage) -> None:
    """A worker that dies while nobody supervises it is found dead by the next supervisor."""
    with another_supervisor(on_stage, resources='{"there": 1}') as first:
        worker = ray.remote(resources={"there": 1}, max_restarts=0)(Worker).remote()
        pid = ray.get(worker.pid.remote(), timeout=10)
        psutil.Process(first.pid).suspend()
        os.kill(pid, signal.SIGKILL)
        ref = worker.pid.remote()
        os.kill(first.pid, signal.SIGKILL)
        with contextlib.suppress(ray.exceptions.ActorDiedError):
            ray.get(ref, timeout=20)
            raise AssertionError("the call should have died with the actor")


def test_sigterm_ends_a_node_and_leaves_nothing(on_stage: Stage) -> None:
    """Workers leave, the node leaves the registry, the exit code is 0."""
    before = nodes(on_stage)
    environ = {**os.environ, "CALLBOARD_ADDRESS": on_stage.address}
    process = subprocess.Popen(
        [sys.executable, "-m", "callboard_supervisor", "--log-dir", str(on_stage.log_dir)], env=environ
    )
    wait_until(lambda: nodes(on_stage) == before + 1, what="the node to register")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert nodes(on_stage) == before


def test_an_actor_that_may_be_restarted_moves_when_its_node_closes(ray: ModuleType, on_stage: Stage) -> None:
    """The restart is spent on another node; its name and its callers stay."""
    with another_supervisor(on_stage, resources='{"CPU": 0, "first": 1}') as first:
        worker = ray.remote(max_restarts=1, max_task_retries=1, resources={"first": 1})(Worker).remote()
        pid = ray.get(worker.pid.remote(), timeout=10)
        with another_supervisor(on_stage, resources='{"first": 1}'):
            actor = worker._actor_id
            os.kill(first.pid, signal.SIGTERM)
            wait_until(lambda: record(on_stage, actor).num_restarts == 1, what="the restart")
            assert ray.get(worker.pid.remote(), timeout=20) != pid
            del worker
            wait_until(
                lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go"
            )


def test_the_actors_of_a_lost_node_go_to_another(ray: ModuleType, on_stage: Stage) -> None:
    """No heartbeat for the timeout: restartable actors restart elsewhere, others die with the node named as the cause.

    The lost node's worker may still run; whatever it does counts no more, and it leaves.
    """
    with supervisor_elsewhere(on_stage, '--resources={"far": 2}') as far:
        mover = ray.remote(resources={"far": 1}, max_restarts=1, max_task_retries=1)(Worker).remote()
        mortal = ray.remote(resources={"far": 1})(Worker).remote()
        actor = mover._actor_id
        old, _ = ray.get([mover.pid.remote(), mortal.pid.remote()], timeout=20)
        with another_supervisor(on_stage, resources='{"far": 2}'):
            far.send_signal(signal.SIGSTOP)
            ref = mover.pid.remote()
            assert ray.get(ref, timeout=10) == old
            wait_until(lambda: record(on_stage, actor).num_restarts == 1, what="the restart", timeout=20)
            assert ray.get(mover.pid.remote(), timeout=20) != old
            with pytest.raises(ray.exceptions.ActorDiedError, match="node has died"):
                ray.get(mortal.pid.remote(), timeout=20)
            wait_for_end(old, timeout=20)
            del mover, ref, mortal
            wait_until(
                lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)), what="actors to go"
            )


def test_a_client_on_another_host_is_judged_by_its_heartbeat(on_stage: Stage) -> None:
    """Its process cannot be watched from here; when its counter stands still, its actors end (O2)."""
    script = (
        "from callboard_broker import host; host.host_id = lambda: 'another host'\n"
        "import os, sys, callboard\n"
        f"config = {{'heartbeat_timeout_ms': {HEARTBEAT_TIMEOUT * 1000}}}\n"
        "callboard.init(os.environ['CALLBOARD_ADDRESS'], _system_config=config)\n"
        "class Sleeper:\n    def here(self): return True\n"
        "sleeper = callboard.remote(Sleeper).remote()\n"
        "assert callboard.get(sleeper.here.remote())\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    alive = items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors))
    assert len(alive) == 1
    process.kill()
    process.communicate()
    wait_until(
        lambda: not items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)),
        what="its actor to end",
        timeout=20,
    )
