"""I3: what a process that was replaced while it was stopped does when it wakes up."""

import os
import signal
from types import ModuleType
from typing import Any

import psutil
from tests.support.looking import wait_for_end
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor, supervisor_elsewhere
from tests.support.waiting import wait_until

import callboard

BOUND = 20
#: So many that some get out before the process has noticed that it is the actor no longer.
MANY = 100


class Sleeper(Mortal):
    """Call another actor, and be stopped just before the first time."""

    def tell(self, other: Any) -> int:
        """Have another actor note who this is, often, and return this process."""
        callboard.get(other.note.remote("ready"))
        if self._notes.count("init") == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        for _ in range(MANY):
            other.note.remote(str(os.getpid()))
        return os.getpid()


def test_i3_calls_of_a_process_that_was_replaced_do_not_run(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Not even those that it makes before it looks: it is not the actor any more, and nobody is to hear of it."""
    heard = Notes(notes.path.with_name("heard"))
    listener = ray.remote(Mortal).remote(str(heard.path))
    with supervisor_elsewhere(on_stage, '--resources={"far": 1}') as far:
        sleeper = ray.remote(resources={"far": 1}, max_restarts=1, max_task_retries=1)(Sleeper).remote(str(notes.path))
        ref = sleeper.tell.remote(listener)
        wait_until(lambda: notes.count("init") and _stopped(notes.pid), what="the process to be stopped", timeout=BOUND)
        old = psutil.Process(notes.pid)
        far.send_signal(signal.SIGSTOP)
        with another_supervisor(on_stage, resources='{"far": 1}'):
            assert ray.get(ref, timeout=BOUND) == notes.pid != old.pid
            old.resume()
            wait_for_end(old.pid)
            # Behind whatever it has sent.
            assert ray.get(listener.note.remote("last"), timeout=BOUND) == "last"
            del sleeper, ref
    assert heard.count(str(old.pid)) == 0
    assert heard.count(str(notes.pid)) == MANY


def _stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED
