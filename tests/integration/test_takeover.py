"""Supervisors that die under load: the next one takes over what it finds, and nobody notices."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.looking import record, state, wait_for_restart
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor
from tests.support.waiting import wait_until

import callboard as ray
from callboard._local import SupervisorProcess
from callboard_broker import ids
from callboard_broker.operations import actors
from callboard_broker.records import State
from callboard_broker.wire import integer, items, text

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


def begun(stage: Stage, actor: Any, node: str) -> None:
    """Begin another incarnation of an actor, as the supervisor of a node does that forks a process for it next."""
    before = record(stage, actor._actor_id)
    where, token = ("host", before.host), ids.new_token()
    command = actors.start(
        stage.broker.keys, before, token=token, node=node, where=where, state=State.RESTARTING, restarts=1
    )
    assert integer(items(stage.wire.call(*command))[0]) == before.incarnation + 1


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("elsewhere", [True, False], ids=["another node's", "this node's"])
def test_r1_a_death_that_another_has_dealt_with_ends_nobody(own_stage: Stage, notes: Notes, *, elsewhere: bool) -> None:
    """It is that of the incarnation before, and counts once: also when the one that begins has no process yet."""
    actor: Any = ray.remote(Mortal).options(max_restarts=1).remote(str(notes.path))
    pid, own = ray.get(actor.pid.remote(), timeout=BOUND), state(actor).node_id
    with another_supervisor(own_stage, resources='{"another": 1}'):
        listed = items(own_stage.wire.call("SMEMBERS", own_stage.broker.keys.nodes))
        (other,) = {text(node) for node in listed} - {own}
        with paused(own_stage.supervisor.pid):
            os.kill(pid, signal.SIGKILL)
            begun(own_stage, actor, other if elsewhere else own)
        wait_for_restart(actor, 1)
        assert ray.get(actor.note.remote("lives"), timeout=BOUND) == "lives"
        assert (state(actor).num_restarts, notes.count("init")) == (1, 2)
