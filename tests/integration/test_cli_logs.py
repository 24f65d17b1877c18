"""L5: `callboard logs` shows what an actor has written."""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from tests.support.commands import logs
from tests.support.holding import BOUND
from tests.support.looking import wait_for_death, wait_for_restart
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor
from tests.support.talkers import Talker
from tests.support.waiting import wait_until

import callboard


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
