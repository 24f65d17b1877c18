"""A worker for tests of the fork server: does what its config says in "do"."""

import atexit
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Where exit handlers leave a line.
EXIT_LOG = "CALLBOARD_TEST_EXIT_LOG"


def log_exit(who: str) -> None:
    """Leave a line in the log of exit handlers."""
    with Path(os.environ[EXIT_LOG]).open("a") as log:
        log.write(f"{who}\n")


def tell(config: dict[str, Any], **facts: object) -> None:
    """Hand facts to the test, whole or not at all."""
    draft = Path(config["tell"] + ".new")
    draft.write_text(json.dumps(facts))
    draft.rename(config["tell"])


def facts(config: dict[str, Any]) -> None:
    """Tell what kind of process this is."""
    tell(
        config,
        pid=os.getpid(),
        group=os.getpgid(0),
        parent=os.getppid(),
        stdin=str(Path("/proc/self/fd/0").readlink()),
        fds=sorted(int(fd.name) for fd in Path("/proc/self/fd").iterdir() if fd.exists()),
        name=Path("/proc/self/comm").read_text().strip(),
        ignores_interrupt=signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        ends_by_terminate=signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        random=random.random(),
    )


def outlived(config: dict[str, Any]) -> None:
    """Leave a grandchild behind."""
    tell(config, grandchild=subprocess.Popen(["sleep", "1000"]).pid)


def family(config: dict[str, Any]) -> None:
    """Have a grandchild and stay."""
    outlived(config)
    signal.pause()


def tidy(config: dict[str, Any]) -> None:
    """Leave things for the exit."""
    atexit.register(log_exit, "worker")
    directory = tempfile.TemporaryDirectory()
    config["kept until exit"] = directory
    globals()["kept"] = directory
    tell(config, directory=directory.name)


def talk(config: dict[str, Any]) -> None:
    """Write to both streams."""
    sys.stdout.write(f"{config['say']}\n")
    sys.stderr.write(f"{config['say']} loudly\n")


def late(config: dict[str, Any]) -> None:
    """Exit with the code that is written into a pipe."""
    tell(config, pid=os.getpid())
    sys.exit(int(Path(config["pipe"]).read_text()))


def fail(_config: dict[str, Any]) -> None:
    """Fail like user code."""
    raise LookupError("this worker fails on purpose")


ACTIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "return": lambda _: None,
    "clock": lambda config: tell(config, now=config["first line"]),
    "_exit": lambda _: os._exit(3),
    "exit": lambda _: sys.exit(4),
    "fail": fail,
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "pause": lambda _: signal.pause(),
    "facts": facts,
    "modules": lambda config: tell(config, modules=sorted(sys.modules)),
    "outlived": outlived,
    "family": family,
    "tidy": tidy,
    "talk": talk,
    "late": late,
}


def main(config: dict[str, Any]) -> None:
    """Do it."""
    config["first line"] = time.monotonic_ns()
    ACTIONS[config["do"]](config)


if EXIT_LOG in os.environ:
    # What a preloaded module may do when it is imported, and no worker shall repeat.
    atexit.register(log_exit, "fork server")
    weakref.finalize(main, log_exit, "finalizer of the fork server")
    sys.stdout.write("not flushed ")
