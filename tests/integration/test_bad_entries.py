"""I9, I10: ten thousand entries that are none, and a hundred of each kind of forgery: nothing reaches pickle."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.canary import Canary
from tests.support.looking import state
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard import _session
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.envelope import Outcome, call_fields
from callboard_broker.operations import actors
from callboard_broker.wire import ReplyError, entries, integer, items, text

if TYPE_CHECKING:
    from callboard_broker.packing import Command

BOUND = 60
EACH = 100
#: Malformed entries: in so many rounds so many together.
ROUNDS, TOGETHER = 20, 500
#: Bytes of noise for those of one round.
SIZE = 16 * TOGETHER


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[bytes]:
    """Lend arguments that are noticed when somebody unpickles them; nobody may."""
    path = tmp_path / "canary"
    yield pickle.dumps(((Canary(path),), {}))
    assert not path.exists()


@pytest.fixture
def actor(ray: ModuleType, notes: Notes) -> Any:
    """Lend an actor, the victim."""
    handle = ray.remote(Mortal).options(max_restarts=-1).remote(str(notes.path))
    ray.get(handle.note.remote("first"), timeout=BOUND)
    return handle


def moment(stage: Stage) -> int:
    """Return the server's time in milliseconds."""
    return int(text(items(stage.wire.call("TIME"))[0])) * 1000


def write(stage: Stage, key: bytes, *fields: bytes) -> None:
    """Append an entry."""
    stage.wire.call("XADD", key, "NOMKSTREAM", "*", *fields)


def malformed(noise: bytes, canary: bytes) -> list[bytes]:
    """Make the fields of an entry from noise: words that are known, numbers, bytes, and what must not be unpickled."""
    words = [b"call", b"body", b"op", b"bury", b"place", b"cancel", b"token", b"targets", b"a:x", b"client", b"actor"]
    parts = [*words, b"1.0 me/1 1 m 0 0", b"number", b"-1", b"\xff", noise, canary]
    fields = [parts[byte % len(parts)] for byte in noise]
    return fields[: 2 + 2 * (noise[0] % (len(fields) // 2))]


def test_i9_i10_malformed_entries_stop_nobody(
    ray: ModuleType, on_stage: Stage, actor: Any, canary: bytes, notes: Notes
) -> None:
    """Whatever lies in the streams that workers, clients and supervisors read, they pass over it and go on."""
    keys, client = on_stage.broker.keys, _session.client()
    streams = [
        keys.mailbox(actor._actor_id), keys.control(actor._actor_id), keys.inbox(client.id), keys.requests, keys.outbox,
        keys.commands(state(actor).node_id or ""),
    ]  # fmt: skip

    @settings(max_examples=ROUNDS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(noise=st.binary(min_size=SIZE, max_size=SIZE))
    def attack(noise: bytes) -> None:
        commands: list[Command] = [
            ("XADD", streams[cut[0] % len(streams)], "NOMKSTREAM", "*", *malformed(cut[1:], canary))
            for cut in (noise[at : at + SIZE // TOGETHER] for at in range(0, SIZE, SIZE // TOGETHER))
        ]
        replies = on_stage.wire.pipeline(commands)
        assert not [str(reply) for reply in replies if isinstance(reply, ReplyError)]

    attack()
    assert ray.get(actor.note.remote("later"), timeout=BOUND) == "later"
    another: Any = ray.remote(Mortal).remote(str(notes.path))
    assert ray.get(another.pid.remote(), timeout=BOUND)
    wait_until(
        lambda: not integer(on_stage.wire.call("XLEN", keys.requests)), what="requests to be read", timeout=BOUND
    )
    wait_until(
        lambda: not integer(on_stage.wire.call("XLEN", keys.outbox)), what="the outbox to be read", timeout=BOUND
    )


def forged_calls(stage: Stage, actor: str, canary: bytes) -> dict[str, Callable[[int], tuple[bytes, ...]]]:
    """Return ways to make the fields of a call that nobody made."""
    broker, now = stage.broker, moment(stage)
    stranger = Broker(broker.address, ClusterKey(b"f" * 32))
    honest = pickle.dumps((("x",), {}))

    def call(number: int, by: Broker = broker, target: str = actor, body: bytes = canary) -> tuple[bytes, ...]:
        signer = by.signer("call", target)
        return call_fields(signer, by.version, b"me/%d" % number, number, b"note", 0, now, b"", body)

    return {
        "another key": lambda number: call(number, by=stranger),
        "for another actor": lambda number: call(number, target="0" * 32),
        "an edited body": lambda number: (*call(number, body=honest)[:3], canary),
        "another kind": lambda number: (
            b"call",
            broker.signer("outcome", actor).seal(b"1.k me/%d %d note 0 %d" % (number, number, now), canary),
            b"body",
            canary,
        ),
    }


def test_i9_forged_calls_are_set_aside(
    ray: ModuleType, on_stage: Stage, actor: Any, canary: bytes, notes: Notes
) -> None:
    """Signed with another key, for another actor, as another kind, or changed since."""
    name = actor._actor_id
    ways = forged_calls(on_stage, name, canary)
    for number in range(1, EACH + 1):
        for way in ways.values():
            write(on_stage, on_stage.broker.keys.mailbox(name), *way(number))
    assert ray.get(actor.note.remote("later"), timeout=BOUND) == "later"
    record = on_stage.broker.keys.actor(name)
    assert int(text(on_stage.wire.call("HGET", record, "rejected"))) == EACH * len(ways)
    assert notes.lines()[1:] == ["first", "later"]


def test_i5_replayed_calls_do_not_run(ray: ModuleType, on_stage: Stage, actor: Any, notes: Notes) -> None:
    """An entry that was genuine is recognised by its number, however often it comes."""
    mailbox = on_stage.broker.keys.mailbox(actor._actor_id)
    client = _session.client()
    signer, body = on_stage.broker.signer("call", actor._actor_id), pickle.dumps((("again",), {}))
    genuine = call_fields(
        signer, on_stage.broker.version, f"{client.id}/1".encode(), 1, b"note", 0, moment(on_stage), b"", body
    )
    for _ in range(EACH):
        write(on_stage, mailbox, *genuine)
    assert ray.get(actor.note.remote("later"), timeout=BOUND) == "later"
    assert notes.count("again") == 0
    wait_until(lambda: not integer(on_stage.wire.call("XLEN", mailbox)), what="the replays to be removed")


def test_i9_forged_replies_are_passed_over(
    ray: ModuleType, on_stage: Stage, actor: Any, canary: bytes, gate: Path
) -> None:
    """Signed with another key, for another client, or of another body; the true one counts."""

    class Slow:
        def wait(self, gate: str) -> str:
            while not os.path.exists(gate):  # noqa: PTH110 - plain
                pass
            return "true"

    ref = ray.remote(Slow).remote().wait.remote(str(gate))
    client, broker = _session.client(), on_stage.broker
    stranger = Broker(broker.address, ClusterKey(b"f" * 32))
    forged, honest = Outcome(ref.hex().encode(), b"ok", b"", canary), Outcome(ref.hex().encode(), b"ok", b"", b"x")
    for _ in range(EACH):
        for sealed in (
            stranger.seal_outcome(client.id, forged),
            broker.seal_outcome("0" * 24, forged),
            broker.seal_outcome(client.id, honest),
        ):
            write(on_stage, broker.keys.inbox(client.id), sealed, canary)
    assert ray.get(actor.note.remote("passed over"), timeout=BOUND) == "passed over"
    gate.touch()
    assert ray.get(ref, timeout=BOUND) == "true"


def test_i9_swapped_classes_and_arguments_are_not_constructed(
    ray: ModuleType, on_stage: Stage, canary: bytes, notes: Notes
) -> None:
    """A worker begins with what its creator signed, and with nothing that was put in its place."""
    handles = [ray.remote(Mortal).options(max_restarts=1).remote(str(notes.path)) for _ in range(8)]
    pids = ray.get([handle.pid.remote() for handle in handles], timeout=BOUND)
    keys, wire = on_stage.broker.keys, on_stage.wire
    first = keys.creation(handles[0]._actor_id)
    for number, handle in enumerate(handles):
        creation = keys.creation(handle._actor_id)
        if number % 2:
            wire.call("HSET", creation, "body", canary)
        else:
            flat = items(wire.call("HGETALL", keys.creation(handles[number - 1]._actor_id) if number else first))
            wire.call("HSET", creation, *[part for part in flat if isinstance(part, bytes)])
            wire.call("HSET", creation, "definition", "0" * 64)
    before = notes.count("init")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for handle in handles:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(handle.pid.remote(), timeout=BOUND)
    assert notes.count("init") == before


def test_i9_forged_commands_are_not_obeyed(ray: ModuleType, on_stage: Stage, actor: Any) -> None:
    """Nobody without the cluster key kills, restarts or ends anything through a node."""
    stranger = Broker(on_stage.broker.address, ClusterKey(b"f" * 32))
    node = state(actor).node_id or ""
    pid = ray.get(actor.pid.remote(), timeout=BOUND)
    for number in range(EACH):
        op = ("kill", "restart", "end", "watch")[number % 4]
        command = actors.command_node(on_stage.broker.keys, node, stranger.signer("command", node), op, actor._actor_id)
        on_stage.wire.call(*command)
    commands = on_stage.broker.keys.commands(node)
    wait_until(lambda: not entries(on_stage.wire.call("XRANGE", commands, "-", "+")), what="them to be read")
    assert ray.get(actor.pid.remote(), timeout=BOUND) == pid
