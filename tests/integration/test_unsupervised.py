"""I8: what is waited for while no supervisor lives."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.looking import state
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage, stage
from tests.support.supervisors import another_supervisor
from tests.support.waiting import wait_until

import callboard as ray
from callboard import _session

BOUND = 20


def end_supervisor(own: Stage, number: signal.Signals) -> None:
    """End the supervisor, which this process has not waited for."""
    os.kill(own.supervisor.pid, number)
    wait_until(lambda: psutil.Process(own.supervisor.pid).status() == psutil.STATUS_ZOMBIE, what="its end")


async def awaited(ref: object) -> object:
    """Await a reference."""
    return await ref  # type: ignore[misc] # any awaitable


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_i8_without_any_supervisor_nobody_waits_for_ever(
    own_stage: Stage, notes: Notes, gate: Path, how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits, in whatever way, is told what to do; the call is not lost, and runs when there is a supervisor."""
    actor: Any = ray.remote(Mortal).options(max_restarts=-1, max_task_retries=-1).remote(str(notes.path))
    ref = actor.behind.remote(str(gate))
    items = actor.__ray_call__.options(num_returns="streaming").remote(lambda _self: iter([1]))
    wait_until(lambda: "behind" in notes.lines(), what="the call to run")
    future = ref.future()
    end_supervisor(own_stage, how)
    with contextlib.suppress(ProcessLookupError):
        os.kill(notes.pid, signal.SIGKILL)
    told = r"no supervisor of the callboard .* `callboard supervisor --address .* is not lost"
    with pytest.raises(ray.exceptions.RaySystemError, match=told):
        ray.get(ref)
    with pytest.raises(ray.exceptions.RaySystemError, match=told):
        ray.wait([ref])
    with pytest.raises(ray.exceptions.RaySystemError, match=told):
        next(items)
    with pytest.raises(ray.exceptions.RaySystemError, match=told):
        future.result(timeout=BOUND)
    with pytest.raises(ray.exceptions.RaySystemError, match=told):
        asyncio.run(asyncio.wait_for(awaited(ref), BOUND))
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(ref, timeout=0.1)
    gate.touch()
    # What is known of supervisors is as old as it can be.
    monkeypatch.setattr(_session.client().supervision, "look", lambda: None)
    with another_supervisor(own_stage):
        assert ray.get(ref, timeout=BOUND) == "behind"
        assert ray.get(ref) == asyncio.run(awaited(ref)) == ref.future().result() == "behind"
        # Nobody is given up any more.
        wait_until(lambda: state(actor).state == "ALIVE", what="the restart")
        assert ray.get(actor.note.remote("later")) == "later"
        ray.kill(actor)


def test_i8_a_supervisor_that_leaves_at_once_was_there(own_stage: Stage, notes: Notes) -> None:
    """Nobody waits for the first one to come then."""
    end_supervisor(own_stage, signal.SIGTERM)
    actor: Any = ray.remote(Mortal).remote(str(notes.path))
    with pytest.raises(ray.exceptions.RaySystemError, match="has shown a heartbeat"):
        ray.get(actor.note.remote("never"))


def test_i8_the_first_supervisor_may_come_late(notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    """A program may be started before it: calls wait, and what to do is logged once."""
    with stage() as own:
        os.kill(own.supervisor.pid, signal.SIGTERM)
        wait_until(lambda: not own.wire.call("SCARD", own.broker.keys.nodes), what="the node to leave")
        ray.init(own.address, _system_config={"heartbeat_timeout_ms": 50})
        try:
            with caplog.at_level(logging.WARNING, "callboard._supervision"):
                actor: Any = ray.remote(Mortal).remote(str(notes.path))
                ref = actor.note.remote("early")
                wait_until(lambda: caplog.messages, what="the warning")
            with another_supervisor(own):
                assert ray.get(ref) == "early"
                del actor
                ray.shutdown()
            assert [message[:13] for message in caplog.messages] == ["no supervisor"]
            assert "callboard supervisor --address" in caplog.text
        finally:
            ray.shutdown()
