"""Supervisors that die under load: the next one takes over what it finds, and nobody notices."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.looking import state
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor
from tests.support.waiting import wait_until

import callboard as ray
from callboard._local import SupervisorProcess

BOUND = 20


@contextlib.contextmanager
def successor(own: Stage, dead: SupervisorProcess, actor: Any) -> Iterator[SupervisorProcess]:
    """Kill a supervisor, and run another, which has taken over an actor."""
    before = state(actor).node_id
    os.kill(dead.pid, signal.SIGKILL)
    with another_supervisor(own) as next_one:
        wait_until(lambda: state(actor).node_id != before, what="the take-over")
        yield next_one


def test_r4_a_call_that_ran_through_two_takeovers_is_not_run_again(own_stage: Stage, notes: Notes) -> None:
    """The page that says what had started is found whoever looks after the worker, and it is removed in the end."""
    pages = own_stage.pages()
    actor: Any = ray.remote(Mortal).options(max_restarts=-1).remote(str(notes.path))
    ref = actor.long.remote()
    wait_until(lambda: notes.count("long"), what="the call to start")
    with (
        successor(own_stage, own_stage.supervisor, actor) as second,
        successor(own_stage, second, actor),
    ):
        os.kill(notes.pid, signal.SIGKILL)
        with pytest.raises(ray.exceptions.ActorUnavailableError):
            ray.get(ref, timeout=BOUND)
        assert notes.count("long") == 1
        ray.shutdown()
        own_stage.check_nothing_left(pages)
