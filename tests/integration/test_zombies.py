"""I3: what a process that was replaced while it was stopped does when it wakes up."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import psutil
import pytest
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
    """Do something to another actor, and be stopped just before the first time."""

    def tell(self, other: Any) -> int:
        """Have another actor note who this is, often, and return this process."""
        self._sleep(other)
        for _ in range(MANY):
            other.note.remote(str(os.getpid()))
        return os.getpid()

    def kill(self, other: Any, *, no_restart: bool) -> int:
        """Kill another actor, unless another incarnation was to do it, and return this process."""
        if self._sleep(other):
            callboard.kill(other, no_restart=no_restart)
        return os.getpid()

    def _sleep(self, other: Any) -> bool:
        callboard.get(other.note.remote("ready"))
        first = self._notes.count("init") == 1
        if first:
            os.kill(os.getpid(), signal.SIGSTOP)
        return first


@contextlib.contextmanager
def replaced(own: Stage, notes: Notes, do: Callable[[Any], Any]) -> Iterator[int]:
    """Have a sleeper do something, be replaced while it is stopped, and wake up; yield its old process, now gone."""
    with supervisor_elsewhere(own, '--resources={"far": 1}') as far:
        made = callboard.remote(resources={"far": 1}, max_restarts=1, max_task_retries=1)(Sleeper)
        sleeper = made.remote(str(notes.path))
        ref = do(sleeper)
        wait_until(lambda: notes.count("init") and _stopped(notes.pid), what="the process to be stopped", timeout=BOUND)
        old = psutil.Process(notes.pid)
        far.send_signal(signal.SIGSTOP)
        with another_supervisor(own, resources='{"far": 1}'):
            assert callboard.get(ref, timeout=BOUND) == notes.pid != old.pid
            old.resume()
            wait_for_end(old.pid)
            yield old.pid
            del sleeper, ref


def test_i3_calls_of_a_process_that_was_replaced_do_not_run(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """Not even those that it makes before it looks: it is not the actor any more, and nobody is to hear of it."""
    heard = Notes(notes.path.with_name("heard"))
    listener = ray.remote(Mortal).remote(str(heard.path))
    with replaced(on_stage, notes, lambda sleeper: sleeper.tell.remote(listener)) as old:
        # Behind whatever it has sent.
        assert ray.get(listener.note.remote("last"), timeout=BOUND) == "last"
    assert heard.count(str(old)) == 0
    assert heard.count(str(notes.pid)) == MANY


@pytest.mark.parametrize("no_restart", [True, False])
def test_i3_a_replaced_process_kills_nobody(
    ray: ModuleType, on_stage: Stage, notes: Notes, *, no_restart: bool
) -> None:
    """What it does to others counts as little as what it says."""
    victim = ray.remote(Mortal).options(max_restarts=1).remote(str(notes.path.with_name("victim")))
    pid = ray.get(victim.pid.remote(), timeout=BOUND)
    with replaced(on_stage, notes, lambda sleeper: sleeper.kill.remote(victim, no_restart=no_restart)):
        assert ray.get(victim.pid.remote(), timeout=BOUND) == pid


def _stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED
