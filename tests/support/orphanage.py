"""Play the supervisor in a process of its own (it becomes a subreaper) and lose the fork server.

    python orphanage.py DIRECTORY

What it found is left in DIRECTORY/found.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.support.brood import Brood
from tests.support.waiting import wait_until

from callboard_supervisor.nursery import Exited, NurseryDied
from callboard_supervisor.process import Process, ended_child


def describe(exits: list[Exited]) -> dict[int, str]:
    """Say in words how workers ended."""
    return {event.exit.pid: event.exit.describe() for event in exits}


def orphaned_end(brood: Brood, process: Process) -> str:
    """Wait for the end of a worker that has lost its parent."""
    wait_until(lambda: not process.alive(), what=f"the end of {process}")
    return describe(brood.nursery.reap_orphans())[process.pid]


def play(directory: Path) -> dict[str, Any]:
    """Lose the fork server while one worker runs, one is a zombie, and one has a grandchild."""
    pipe = directory / "pipe"
    os.mkfifo(pipe)
    brood = Brood(directory)
    late, _ = brood.spawn_telling("late", pipe=str(pipe))
    family, told = brood.spawn_telling("family")
    zombie = brood.spawn("pause")
    grandchild = os.pidfd_open(told["grandchild"])
    os.kill(brood.server, signal.SIGSTOP)
    zombie.signal(signal.SIGKILL)
    wait_until(lambda: not zombie.alive(), what="a zombie that nobody reports")
    unanswered = brood.ask("pause")
    server = brood.server
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: ended_child(server), what="the end of the fork server")
    found: dict[str, Any] = {"before the news": describe(brood.nursery.reap_orphans())}
    died = brood.event(NurseryDied)
    found["fork server"] = died.exit.describe()
    found["unanswered"] = died.unanswered == (unanswered,)
    found["zombie"] = orphaned_end(brood, zombie)
    found["worker lives"] = late.alive()
    pipe.write_text("7")
    found["late"] = orphaned_end(brood, late)
    family.signal(signal.SIGKILL)
    found["family"] = orphaned_end(brood, family)
    reaped = Process(told["grandchild"], grandchild, 0)
    wait_until(lambda: not reaped.alive(), what="the end of the grandchild")
    brood.nursery.restart()
    found["after restart"] = brood.end_of(brood.spawn("exit")).describe()
    brood.close()
    brood.nursery.reap_orphans()
    found["children left"] = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return found


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    (directory / "found").write_text(json.dumps(play(directory)))
