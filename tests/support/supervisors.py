"""More supervisors on a stage: another node of this host, or of what it takes for another host."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.waiting import wait_until

from callboard._local import SupervisorProcess
from callboard_broker.wire import integer

__all__ = ["another_supervisor", "nodes", "supervisor_elsewhere"]

ELSEWHERE = """
import runpy, sys
from callboard_broker import host
host.host_id = lambda: "another host"
sys.argv = ["callboard_supervisor", *sys.argv[1:]]
runpy.run_module("callboard_supervisor", run_name="__main__")
"""


def nodes(stage: Stage) -> int:
    """Count the nodes in the registry."""
    return integer(stage.wire.call("SCARD", stage.broker.keys.nodes))


@contextlib.contextmanager
def another_supervisor(stage: Stage, **options: str) -> Iterator[SupervisorProcess]:
    """Run one more supervisor on the stage's Redis."""
    times = {"heartbeat-timeout": str(HEARTBEAT_TIMEOUT), "idle-timeout": "1"}
    chosen = {**times, "log-dir": str(stage.log_dir), **options}
    process = SupervisorProcess.start(stage.address, chosen, {})
    try:
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def supervisor_elsewhere(stage: Stage, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a supervisor that believes that it is on another host, and kill it and its workers at the end."""
    before = nodes(stage)
    timeout = f"--heartbeat-timeout={HEARTBEAT_TIMEOUT}"
    arguments = [sys.executable, "-c", ELSEWHERE, timeout, f"--log-dir={stage.log_dir}", *options]
    process = subprocess.Popen(arguments, env={**os.environ, "CALLBOARD_ADDRESS": stage.address})
    wait_until(lambda: nodes(stage) == before + 1, what="the node to register")
    try:
        yield process
    finally:
        for victim in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        process.kill()
        process.wait()
