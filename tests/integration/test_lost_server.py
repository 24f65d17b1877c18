"""I8: programs and supervisors that end while their server dies."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support import leaks
from tests.support.looking import wait_for_end
from tests.support.mortals import Hooked, Notes, pass_gate
from tests.support.stage import stage
from tests.support.supervisors import nodes
from tests.support.waiting import wait_until

import callboard as ray
from callboard import _client, _outbound, _session

BOUND = 20


def hold(notes: Notes) -> None:
    """Be a hook that goes on until a gate opens."""
    pass_gate(f"{notes.path}.gate")


@pytest.mark.parametrize("leaves", [True, False])
def test_i8_a_program_whose_server_dies_while_it_ends_ends(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, leaves: bool
) -> None:
    """Nobody waits for a server that is gone: neither for the records of actors that have left, nor for their hooks."""
    monkeypatch.delenv("CALLBOARD_ADDRESS", raising=False)
    monkeypatch.setenv("CALLBOARD_SHM_DIR", str(tmp_path / "pages"))
    before = leaks.snapshot()
    ray.init(_system_config={"heartbeat_timeout_ms": 1500})
    session = _session.current()
    assert session is not None
    assert session.local is not None
    server, supervisor = session.local.server, psutil.Process(session.local.supervisor.pid)
    actors: list[Any] = [ray.remote(Hooked).remote(str(notes.path), hold) for _ in range(2)]
    pids = ray.get([actor.pid.remote() for actor in actors], timeout=BOUND)
    ending = threading.Thread(target=ray.shutdown)
    ending.start()
    wait_until(lambda: notes.count("hook") == len(actors), what="the hooks")
    os.kill(server.pid, signal.SIGKILL)
    if leaves:
        Path(f"{notes.path}.gate").touch()
    ending.join(BOUND)
    try:
        assert not ending.is_alive()
        assert not supervisor.is_running()
        for pid in pids:
            wait_for_end(pid)
    finally:
        if supervisor.is_running():
            supervisor.kill()
        ending.join()
    leaks.check(before)


def test_i8_a_supervisor_whose_server_does_not_come_back_ends(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the heartbeat timeout at most, and leaves no process behind; a program that leaves waits no time."""
    monkeypatch.setattr(_client, "PATIENCE", 1000.0)
    monkeypatch.setattr(_outbound, "PATIENCE", 1000.0)
    with stage() as own:
        command = [sys.executable, "-m", "callboard_supervisor", "--heartbeat-timeout=1", f"--log-dir={own.log_dir}"]
        supervisor = subprocess.Popen([*command, '--resources={"here": 1}'])
        wait_until(lambda: nodes(own) == 2, what="the node to register")
        ray.init(own.address, log_to_driver=False)
        actor: Any = ray.remote(resources={"here": 1})(Hooked).remote(str(notes.path), hold)
        pid = ray.get(actor.pid.remote(), timeout=BOUND)
        supervisor.send_signal(signal.SIGTERM)
        wait_until(lambda: notes.count("hook"), what="the hook")
        os.kill(own.server.pid, signal.SIGKILL)
        try:
            assert supervisor.wait(BOUND) == 0
            wait_for_end(pid)
        finally:
            supervisor.kill()
            ray.shutdown()
