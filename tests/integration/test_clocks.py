"""I1: wall clocks that jump, of the server and of callers."""

import time
from types import ModuleType

import pytest
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage

from callboard_broker.envelope import STALE_MS

BOUND = 20


def test_i1_calls_are_taken_after_the_servers_clock_was_ahead(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """The ids of a stream never go back, so those of later entries stay ahead for as long as the clock was."""
    actor = ray.remote(Mortal).remote(str(notes.path))
    assert ray.get(actor.note.remote("before"), timeout=BOUND) == "before"
    ahead = int(time.time() * 1000) + 2 * STALE_MS
    on_stage.wire.call("XADD", on_stage.broker.keys.mailbox(actor._actor_id), f"{ahead}-0", "no", "call")
    assert ray.get(actor.note.remote("after"), timeout=BOUND) == "after"


@pytest.mark.parametrize("jump", [-10 * STALE_MS, 10 * STALE_MS])
def test_i1_calls_are_taken_after_the_callers_clock_has_jumped(
    ray: ModuleType, notes: Notes, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """Its calls are as old as they were signed, whatever time it is said to be, and also when that is corrected."""
    actor = ray.remote(Mortal).remote(str(notes.path))
    assert ray.get(actor.note.remote("before"), timeout=BOUND) == "before"
    right = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: right() + jump * 1_000_000)
        assert ray.get(actor.note.remote("meanwhile"), timeout=BOUND) == "meanwhile"
    assert ray.get(actor.note.remote("after"), timeout=BOUND) == "after"
