"""L5: `callboard logs` shows what remote functions have written."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.commands import logs
from tests.support.holding import BOUND
from tests.support.mortals import pass_gate
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard
from callboard_broker.host import host_id
from callboard_broker.output import output_path
from callboard_broker.wire import mapping, text


def speak(*lines: str, gate: str = "") -> str | None:
    """Write lines to stdout, and another to stderr; wait for a gate; return the worker."""
    for line in lines:
        print(line)  # noqa: T201 - what it is for
    print("oh", file=sys.stderr)  # noqa: T201 - the same
    if gate:
        pass_gate(gate)
        print("passed")  # noqa: T201 - the same
    return callboard.get_runtime_context().get_worker_id()


@pytest.fixture
def ray(on_stage: Stage) -> ModuleType:
    """Join the shared callboard, without its lines among those of the command, which runs in this process."""
    callboard.init(on_stage.address, log_to_driver=False)
    return callboard


def test_l5_logs_of_a_worker_or_a_task(ray: ModuleType) -> None:
    """By the id of the worker as a client, of the task as `rq info` shows it, or of the reference."""
    ref = ray.remote(speak).remote("one", "two")
    worker = ray.get(ref, timeout=BOUND)
    task = ref.hex().replace("/", "-")
    for identity in (worker, task, ref.hex()):
        assert logs(identity).endswith("one\ntwo\n")
        assert logs(identity, "--tail", "1") == "two\n"
        assert logs(identity, "--err").endswith("oh\n")


def test_l5_logs_of_a_worker_are_followed_until_it_is_gone(ray: ModuleType, on_stage: Stage, gate: Path) -> None:
    """What was there, what comes, and the end; its files outlive it."""
    ref = ray.remote(speak).remote("begins", gate=str(gate))
    task = ref.hex().replace("/", "-")
    key = on_stage.broker.keys.task(task)
    wait_until(lambda: mapping(on_stage.wire.call("HGETALL", key)).get("worker"), what="a worker to run the task")
    worker = text(on_stage.wire.call("HGET", key, "worker"))
    path = Path(f"{output_path(on_stage.log_dir, 'task', worker)}.out")
    wait_until(lambda: path.exists() and "begins" in path.read_text(), what="the first line")
    command = [sys.executable, "-m", "callboard.cli", "logs", worker, "--tail", "1", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "begins\n"
        gate.touch()
        assert following.stdout.readline() == "passed\n"
        ray.get(ref, timeout=BOUND)
        pid = int(text(on_stage.wire.call("HGET", on_stage.broker.keys.client(worker), "pid")))
        os.kill(pid, 9)
        assert following.stdout.read() == ""
        assert following.wait(timeout=BOUND) == 0
    wait_until(
        lambda: not on_stage.wire.call("EXISTS", on_stage.broker.keys.client(worker)), what="the worker to be buried"
    )
    assert logs(worker, "--follow").endswith("begins\npassed\n")


def test_l5_workers_that_cannot_be_shown(ray: ModuleType, on_stage: Stage) -> None:
    """Nobody of that id, another host, a namespace; each is said."""
    unknown = "ab" * 12
    assert f"with the id {unknown} has written" in " ".join(logs(unknown, code=3).split())
    assert "no actor has the name or id" in logs("no-such-task", code=3)
    worker: Any = ray.get(ray.remote(speak).remote("one"), timeout=BOUND)
    assert "no actor has the name or id" in logs(worker, "--namespace", "some", code=3)
    keys = on_stage.broker.keys
    places = [keys.client(worker), keys.node(text(on_stage.wire.call("HGET", keys.client(worker), "node")))]
    for key in places:
        on_stage.wire.call("HSET", key, "hostname", "far", "host", "away")
    assert "ran on far, this is " in " ".join(logs(worker, code=1).split())
    for key in places:
        on_stage.wire.call("HSET", key, "hostname", socket.gethostname(), "host", host_id())
    assert logs(worker).endswith("one\n")
