"""I1, I8: a callboard over servers that sentinels watch."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.support.mortals import Mortal, Notes
from tests.support.sentinels import Watched, opens, watched
from tests.support.stage import stage
from tests.support.waiting import wait_until

import callboard
from callboard_broker import redispy
from callboard_broker.errors import BrokerRefusedError, BrokerUnreachableError
from callboard_broker.wire import Wire, items, text

BOUND = 30
#: Seconds: a failover takes two or three, and nobody is to be given up meanwhile.
SILENCE = 6.0


@pytest.fixture
def servers() -> Iterator[Watched]:
    """Run a primary, a replica and three sentinels."""
    with watched() as running:
        yield running


@callboard.remote
def doubled(number: int) -> int:
    """Return twice a number."""
    return 2 * number


def test_i1_calls_and_tasks_outlive_a_failover(servers: Watched, notes: Notes) -> None:
    """I2: those that wait, those that are made while there is no primary, and later ones: in order, each once."""
    with stage(servers, **{"heartbeat-timeout": f"{SILENCE}"}):
        callboard.init(servers.address, log_to_driver=False, _system_config={"heartbeat_timeout_ms": SILENCE * 1000})
        actor: callboard.ActorHandle = callboard.remote(max_restarts=-1, max_task_retries=-1)(Mortal).remote(
            str(notes.path)
        )
        assert callboard.get([actor.note.remote("before"), doubled.remote(2)], timeout=BOUND) == ["before", 4]
        before = servers.primary()
        waiting = [actor.note.remote(f"{number}") for number in range(20)]
        servers.kill_primary()
        waiting += [actor.note.remote(f"{number}") for number in range(20, 40)]
        numbers = [f"{number}" for number in range(40)]
        assert callboard.get(waiting, timeout=BOUND) == numbers
        assert notes.lines() == ["init", "before", *numbers]
        assert callboard.get([doubled.remote(number) for number in range(5)], timeout=BOUND) == [0, 2, 4, 6, 8]
        assert servers.primary() != before
        callboard.shutdown()


def test_a_replica_is_not_taken_for_the_primary(servers: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentinel may name what has become one; there will be another primary soon."""
    with closing(Wire.open(servers.address)) as wire:
        assert text(items(wire.call("ROLE"))[0]) == "master"
    replica = f"redis://:ours@{servers.host}:{servers.ports[1]}"
    monkeypatch.setattr(redispy, "primary", lambda _service, _timeout: replica)
    with pytest.raises(BrokerUnreachableError, match="has become a replica"):
        Wire.open(servers.address)


def test_what_sentinels_do_not_know_is_named(servers: Watched) -> None:
    """Without the passwords; and so is who answers none."""
    unknown = servers.address.replace("/main", "/other")
    with pytest.raises(BrokerUnreachableError, match="does not know 'other'") as caught:
        Wire.open(unknown)
    assert "theirs" not in str(caught.value)
    with pytest.raises(BrokerUnreachableError, match=r"refused.*; .*(WRONGPASS|invalid)"):
        Wire.open(servers.address.replace("theirs", "wrong"))
    with pytest.raises(BrokerRefusedError, match="WRONGPASS"):
        Wire.open(servers.address.replace("ours", "wrong"))
    servers.stop()
    wait_until(lambda: not opens(servers.address), what="the sentinels' end")
