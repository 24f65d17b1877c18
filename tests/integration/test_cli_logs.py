"""L5: `callboard logs` shows what actors and remote functions have written."""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.commands import run
from tests.support.holding import BOUND
from tests.support.looking import wait_for_death, wait_for_restart
from tests.support.mortals import pass_gate
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor
from tests.support.talkers import Talker
from tests.support.waiting import wait_until

import callboard
from callboard_broker.host import host_id
from callboard_broker.output import output_path
from callboard_broker.wire import mapping, text


@pytest.fixture
def ray(on_stage: Stage) -> ModuleType:
    """Join the shared callboard, without its lines among those of the command, which runs in this process."""
    callboard.init(on_stage.address, log_to_driver=False)
    return callboard


@pytest.fixture
def talker(ray: ModuleType) -> Iterator[Any]:
    """Create an actor that has written something."""
    made = speaking(ray, "talker")
    yield made
    ray.kill(made)


def speaking(ray: ModuleType, name: str) -> Any:
    """Create an actor of a name that has written something."""
    made = ray.remote(max_restarts=1)(Talker).options(name=name).remote("one")
    ray.get([made.say.remote("two", "three"), made.complain.remote("oh")], timeout=BOUND)
    return made


def logs(*words: str, code: int = 0) -> str:
    """Run `callboard logs`, which must exit with this code, and return what it prints."""
    return run("logs", *words, code=code).output


def speak(*lines: str, gate: str = "") -> str | None:
    """Write lines to stdout, and another to stderr; wait for a gate; return the worker."""
    for line in lines:
        print(line)  # noqa: T201 - what it is for
    print("oh", file=sys.stderr)  # noqa: T201 - the same
    if gate:
        pass_gate(gate)
        print("passed")  # noqa: T201 - the same
    return callboard.get_runtime_context().get_worker_id()


def test_l5_logs_of_an_actor(talker: Any) -> None:
    """L5: by name or id; stdout or stderr; all of it or the last lines."""
    assert logs("talker") == logs(talker._actor_id) == "one\ntwo\nthree\n"
    assert logs("talker", "--err") == "oh\n"
    assert logs("talker", "--tail", "2") == "two\nthree\n"
    assert logs("talker", "--tail", "0") == ""


def test_l5_logs_outlive_restarts_and_the_actor(ray: ModuleType) -> None:
    """L5: also under its name, which nobody bears any more; of several, the one that died last has it."""
    talker = speaking(ray, "unique")
    talker.die_saying.remote("crash\n")
    wait_for_restart(talker, 1)
    assert logs("unique") == "one\ntwo\nthree\ncrash\none\n"
    ray.kill(talker)
    wait_for_death(talker)
    assert logs("unique", "--tail", "1") == logs(talker._actor_id, "--tail", "1") == "one\n"
    assert logs("unique", "--follow").endswith("crash\none\n")


def test_l5_logs_are_followed_until_the_end(ray: ModuleType, talker: Any) -> None:
    """L5: what was there, what comes, also after a restart and without an end of the line; then the command ends."""
    command = [sys.executable, "-m", "callboard.cli", "logs", "talker", "--tail", "1", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"three\n"
        ray.get(talker.say.remote("four"), timeout=BOUND)
        assert following.stdout.readline() == b"four\n"
        talker.die_saying.remote("crash\n")
        assert following.stdout.readline() == b"crash\n"
        assert following.stdout.readline() == b"one\n"
        wait_for_restart(talker, 1)
        talker.die_saying.remote("the end")
        assert following.stdout.read() == b"the end"
        assert following.wait(timeout=BOUND) == 0


def test_l5_what_cannot_be_shown(ray: ModuleType, on_stage: Stage, talker: Any) -> None:
    """L5: nobody of that name, nothing written yet, another host, a file that is gone; each is said."""
    assert "no actor has the name or id 'nobody'" in logs("nobody", code=3)
    unborn = ray.remote(resources={"nothing has that": 1})(Talker).remote()
    assert "it has never had a process" in logs(unborn._actor_id, code=3)
    key = on_stage.broker.keys.actor(talker._actor_id)
    on_stage.wire.call("HSET", key, "hostname", "far", "host", "away")
    said = " ".join(logs("talker", code=1).split())
    assert "ran on far, this is " in said
    assert f"Talker-{talker._actor_id}.out on that host" in said
    path = on_stage.log_dir / f"Talker-{talker._actor_id}.out"
    on_stage.wire.call("HSET", key, "host", "", "hostname", socket.gethostname())
    path.unlink()
    assert f"{path} is not there any more" in " ".join(logs("talker", code=3).split())
    on_stage.wire.call("HSET", key, "output", "/etc/hosts")
    assert "it has never had a process" in logs("talker", code=3)


def test_l5_the_output_of_the_forgotten_is_removed(ray: ModuleType, on_stage: Stage) -> None:
    """L5: once its actor has no record any more; the living, the dead that are listed and strangers keep theirs."""
    folder = on_stage.log_dir / "kept for a moment"
    folder.mkdir()
    strange = [folder / name for name in ("notes.out", f"Talker-{'ab' * 16}.out.gz", f"other-{'ab' * 12}.out")]
    foreign, worker = folder / f"Foreign-{'cd' * 16}.out", folder / f"task-{'cd' * 12}.err"
    for path in (*strange, foreign, worker):
        path.write_text("kept")
        os.utime(path, (1, 1))
    keys = on_stage.broker.keys
    options = {"resources": '{"here": 3}', "log-dir": str(folder), "log-age": "0.1"}
    with foreign.open("ab") as held, another_supervisor(on_stage, **options):
        # As the process of an actor of another callboard does.
        fcntl.flock(held, fcntl.LOCK_SH)
        talkers = [ray.remote(resources={"here": 1})(Talker).remote("said") for _ in range(3)]
        ray.get([talker.say.remote("more") for talker in talkers], timeout=BOUND)
        living, listed, forgotten = (list(folder.glob(f"Talker-{talker._actor_id}.*")) for talker in talkers)
        for talker in talkers[1:]:
            ray.kill(talker)
            wait_for_death(talker)
        for path in (*living, *listed):
            os.utime(path, (1, 1))
        on_stage.wire.call("ZREM", keys.dead, talkers[2]._actor_id)
        on_stage.wire.call("DEL", keys.actor(talkers[2]._actor_id))
        wait_until(lambda: not any(path.exists() for path in (*forgotten, worker)), what="the files of the gone to go")
        assert len(living) == len(listed) == len(forgotten) == 2
        assert all(path.exists() for path in (*living, *listed, *strange, foreign))
        ray.kill(talkers[0])


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
