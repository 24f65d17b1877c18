"""I1, I10: a server that can write no more, because its disk or its memory is full."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.looking import state
from tests.support.mortals import Mortal, Notes, pause
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.waiting import wait_until

from callboard_broker.errors import BrokerRefusedError
from callboard_broker.wire import items, text

BOUND = 20


@contextlib.contextmanager
def full_disk(stage: Stage) -> Iterator[None]:
    """Have the server find that it cannot write its file: there is a directory of that name."""
    wire = stage.wire
    place = Path(text(items(wire.call("CONFIG", "GET", "dir"))[1])) / "dump.rdb"
    place.mkdir()
    wire.call("CONFIG", "SET", "save", "3600 1")
    wire.call("BGSAVE")
    wait_until(lambda: "rdb_last_bgsave_status:err" in text(wire.call("INFO", "persistence")), what="a failed save")
    try:
        yield
    finally:
        wire.call("CONFIG", "SET", "save", "")
        place.rmdir()


def test_i1_a_full_disk_restarts_nobody(ray: ModuleType, on_stage: Stage, notes: Notes, gate: Path) -> None:
    """A finished call waits until the server can write again, however long that takes; new calls are refused."""
    actor = ray.remote(Mortal).remote(str(notes.path))
    ref = actor.behind.remote(str(gate))
    wait_until(lambda: notes.count("behind"), what="the call to start")
    with full_disk(on_stage):
        gate.touch()
        with pytest.raises(BrokerRefusedError, match="MISCONF"):
            ray.get(actor.note.remote("refused"), timeout=BOUND)
        # Longer than a worker waits for a server that does not answer.
        pause(3 * HEARTBEAT_TIMEOUT)
    assert ray.get([ref, actor.note.remote("taken")], timeout=BOUND) == ["behind", "taken"]
    assert state(actor).num_restarts == 0
    assert "refused" not in notes.lines()
