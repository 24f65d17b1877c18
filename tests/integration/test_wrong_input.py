"""Wrong input: forged and malformed entries, wrong keys, wrong servers, classes that cannot travel."""

import importlib.util
import pickle
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.canary import Canary
from tests.support.looking import wait_for_death
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard
from callboard_broker import timing
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.embedded import EmbeddedServer
from callboard_broker.envelope import STALE_MS, call_fields
from callboard_broker.errors import (
    BrokerTooOldError,
    BrokerUnreachableError,
    ClusterKeyMismatchError,
    ClusterKeyMissingError,
    EvictionPolicyError,
)
from callboard_broker.wire import integer, items, mapping, text


class Echo:
    def same(self, value: Any) -> Any:
        return value


def rejected(stage: Stage, actor: str) -> int:
    """Return how many entries of an actor's mailbox have been set aside."""
    return integer(stage.wire.call("XLEN", stage.broker.keys.rejected(actor)))


field = st.binary(max_size=30) | st.sampled_from([b"call", b"body", b"1.0 me/1 1 same 0 0", b"-1", b"\xff"])
entry = st.lists(field, min_size=2, max_size=24).map(lambda parts: parts[: len(parts) // 2 * 2])


def test_malformed_entries_are_set_aside(ray: ModuleType, on_stage: Stage) -> None:
    """Whatever somebody writes into a mailbox: the actor lives, the entry is counted and kept, later calls run."""
    echo = ray.remote(Echo).remote()
    actor = echo._actor_id
    ray.get(echo.same.remote(0), timeout=10)
    mailbox = on_stage.broker.keys.mailbox(actor)
    record = on_stage.broker.keys.actor(actor)
    sent = 0

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(fields=entry)
    def attack(fields: list[bytes]) -> None:
        nonlocal sent
        on_stage.wire.call("XADD", mailbox, "NOMKSTREAM", "*", *fields)
        sent += 1

    attack()
    assert ray.get(echo.same.remote(1), timeout=20) == 1
    assert integer(on_stage.wire.call("XLEN", mailbox)) == 0
    assert int(text(on_stage.wire.call("HGET", record, "rejected"))) == sent
    assert 0 < rejected(on_stage, actor) <= sent


def slow_clock() -> int:
    """Be the clock of a client that is two hours slow."""
    return int(time.time() * 1000) - 2 * STALE_MS


def test_i1_a_call_that_is_too_old_is_refused_and_answered(
    ray: ModuleType, on_stage: Stage, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    """It may be a replay, so it never runs; but it is signed, so its caller can be told. Others go on in order."""
    actor: Any = ray.remote(Mortal).remote(str(notes.path))
    assert ray.get(actor.note.remote("first"), timeout=10) == "first"
    with monkeypatch.context() as patched:
        patched.setattr(timing, "latest_ms", slow_clock)
        late = [actor.note.remote("late"), actor.note.remote([ray.put("carried")])]
        dying = ray.remote(Mortal).remote(str(notes.path))
        dies = dying.note.remote("late")
    for ref in late:
        with pytest.raises(ray.exceptions.ActorUnavailableError, match=r"more than an hour .* clocks"):
            ray.get(ref, timeout=10)
    ray.kill(dying)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(dies, timeout=10)
    assert ray.get(actor.note.remote("last"), timeout=10) == "last"
    assert [line for line in notes.lines() if line != "init"] == ["first", "last"]
    keys = on_stage.broker.keys
    assert list(mapping(on_stage.wire.call("HGETALL", keys.seen(actor._actor_id))).values()) == [b"4"]


def test_i1_a_replayed_call_is_dropped(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """It does not run again, however old it is, and what its caller is told changes nothing."""
    actor: Any = ray.remote(Mortal).remote(str(notes.path))
    ref = actor.note.remote("once")
    assert ray.get(ref, timeout=10) == "once"
    broker, client = on_stage.broker, ref._client
    told = integer(on_stage.wire.call("XLEN", broker.keys.inbox(client.id)))
    body = pickle.dumps((("once",), {}))
    signer = broker.signer("call", actor._actor_id)
    for age in (0, 2 * STALE_MS):
        sent = _now(on_stage) - age
        fields = call_fields(signer, broker.version, ref._id.encode(), 1, b"note", 0, sent, b"", body)
        on_stage.wire.call("XADD", broker.keys.mailbox(actor._actor_id), "NOMKSTREAM", "*", *fields)
    assert ray.get(actor.note.remote("later"), timeout=10) == "later"
    # The one that is not too old might have been posted again after the server had forgotten its outcome.
    assert integer(on_stage.wire.call("XLEN", broker.keys.inbox(client.id))) == told + 2
    assert ray.get(ref, timeout=10) == "once"
    assert [line for line in notes.lines() if line != "init"] == ["once", "later"]


def test_i8_an_actor_whose_end_is_signed_by_a_wrong_clock_ends(
    ray: ModuleType, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    """It takes no more calls, so the entry that ends it is never too old."""
    actors = [ray.remote(Mortal).remote(str(notes.path)) for _ in range(2)]
    names = [actor._actor_id for actor in actors]
    ray.get([actor.__ray_ready__.remote() for actor in actors], timeout=10)
    monkeypatch.setattr(timing, "latest_ms", slow_clock)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actors.pop().__ray_terminate__.remote(), timeout=10)
    actors.clear()
    for name in names:
        wait_for_death(name)


@pytest.mark.parametrize("forgery", ["wrong key", "no mac", "other actor", "edited body", "edited method", "truncated"])
def test_forged_entries_never_reach_pickle(ray: ModuleType, on_stage: Stage, tmp_path: Path, forgery: str) -> None:
    """A body that would run code when unpickled does not, however its entry was forged (I9)."""
    echo, other = ray.remote(Echo).remote(), ray.remote(Echo).remote()
    ray.get([echo.same.remote(0), other.same.remote(0)], timeout=10)
    broker, actor = on_stage.broker, echo._actor_id
    canary = tmp_path / "canary"
    evil = pickle.dumps(((Canary(canary),), {}))
    forger = Broker(broker.address, ClusterKey(b"f" * 32)) if forgery == "wrong key" else broker
    target = other._actor_id if forgery == "other actor" else actor
    honest = pickle.dumps(((1,), {}))
    body = honest if forgery in {"edited body", "truncated"} else evil
    fields = list(
        call_fields(forger.signer("call", target), broker.version, b"me/1", 1, b"same", 0, _now(on_stage), b"", body)
    )
    if forgery == "no mac":
        fields[1] = fields[1].rpartition(b" ")[0]
    elif forgery == "edited body":
        fields[3] = evil
    elif forgery == "edited method":
        fields[1] = fields[1].replace(b"same", b"__init__")
    elif forgery == "truncated":
        fields[3] = honest[:-3]
    on_stage.wire.call("XADD", broker.keys.mailbox(actor), "NOMKSTREAM", "*", *fields)
    assert ray.get(echo.same.remote(2), timeout=10) == 2
    assert not canary.exists()
    assert rejected(on_stage, actor) == 1


def _now(stage: Stage) -> int:
    return int(text(items(stage.wire.call("TIME"))[0])) * 1000


def test_a_replayed_entry_is_not_run_again(ray: ModuleType, on_stage: Stage) -> None:
    """The same signed entry posted again is recognised by its number, and removed without a word."""

    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def add(self) -> int:
            self.count += 1
            return self.count

    block = ray.remote(Echo).remote()
    counter = ray.remote(Counter).remote()
    ray.get(counter.add.remote(), timeout=10)
    mailbox = on_stage.broker.keys.mailbox(counter._actor_id)
    client = callboard._session.client()
    captured: list[bytes] = []
    original = client.outbound._wire.send_packed

    class Tap:
        def __getattr__(self, name: str) -> Any:
            return getattr(wire, name)

        def send_packed(self, data: bytes) -> None:
            captured.append(data)
            original(data)

    wire = client.outbound._wire
    client.outbound._wire = Tap()  # type: ignore[assignment] # stands in for a moment
    assert ray.get(counter.add.remote(), timeout=10) == 2
    client.outbound._wire = wire
    post = next(data for data in captured if b"XADD" in data and mailbox in data)
    on_stage.wire.send_packed(post)
    on_stage.wire.receive()
    assert ray.get(counter.add.remote(), timeout=10) == 3
    wait_until(lambda: integer(on_stage.wire.call("XLEN", mailbox)) == 0, what="the replay to be removed")
    del block


def test_a_forged_outcome_changes_nothing(ray: ModuleType, on_stage: Stage) -> None:
    """A reply that somebody else wrote into the inbox is passed over; the true one counts."""
    release = Path(on_stage.log_dir) / "release"

    class Slow:
        def wait(self) -> str:
            while not release.exists():
                threading.Event().wait(0.01)
            return "true"

    ref = ray.remote(Slow).remote().wait.remote()
    client = callboard._session.client()
    forged = pickle.dumps("forged")
    on_stage.wire.call(
        "XADD", on_stage.broker.keys.inbox(client.id), "NOMKSTREAM", "*", "id", ref.hex(), "status", "ok", "tokens", "",
        "mac", "0" * 32, "body", forged,
    )  # fmt: skip
    ready, _ = ray.wait([ref], timeout=0.3)
    assert ready == []
    release.touch()
    try:
        assert ray.get(ref, timeout=10) == "true"
    finally:
        release.unlink()


def test_a_missing_key_names_the_cure(on_stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a cluster key nothing is joined."""
    monkeypatch.delenv("CALLBOARD_KEY_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ClusterKeyMissingError, match="CALLBOARD_KEY_FILE"):
        callboard.init(on_stage.address)
    assert not callboard.is_initialized()


def test_a_wrong_key_is_noticed_at_once(on_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with another key does not join, and learns which key is wanted."""
    monkeypatch.setenv("CALLBOARD_KEY", "ab" * 32)
    with pytest.raises(ClusterKeyMismatchError, match="CALLBOARD_KEY_FILE"):
        callboard.init(on_stage.address)
    assert not callboard.is_initialized()


@pytest.mark.usefixtures("on_stage")
def test_an_unreachable_server_is_named_without_its_password() -> None:
    """The address is shown, the password is not."""
    with pytest.raises(BrokerUnreachableError) as caught:
        callboard.init("redis://user:secret@127.0.0.1:1/0")
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("on_stage")
@pytest.mark.parametrize("address", ["http://localhost", "localhost:6379", ""])
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forms that are understood are named."""
    monkeypatch.setenv("CALLBOARD_ADDRESS", address or "nonsense")
    with pytest.raises(ValueError, match="redis://HOST:PORT/DB"):
        callboard.init(address or None)


def test_an_evicting_server_is_refused() -> None:
    """A policy that throws calls away is no place for calls."""
    server = EmbeddedServer.start()
    try:
        broker = Broker(server.address, ClusterKey(bytes(32)))
        wire = broker.connect("test")
        wire.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        with pytest.raises(EvictionPolicyError, match="CONFIG SET maxmemory-policy noeviction"):
            broker.check(wire)
        wire.close()
    finally:
        server.stop()


def test_an_old_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lacks the commands is named with its version."""
    server = EmbeddedServer.start()
    try:
        broker = Broker(server.address, ClusterKey(bytes(32)))
        wire = broker.connect("test")
        monkeypatch.setattr(type(wire), "call", lambda *_: b"redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n")
        with pytest.raises(BrokerTooOldError, match=r"Redis 6\.2\.14"):
            broker.check(wire)
        wire.close()
    finally:
        server.stop()


def test_a_class_that_cannot_be_pickled_is_named(ray: ModuleType) -> None:
    """At `.remote()`, before anything is created."""
    lock = threading.Lock()

    class Locked:
        def use(self) -> bool:
            return lock.locked()

    with pytest.raises(TypeError, match=r"class .*Locked cannot be pickled.*__init__"):
        ray.remote(Locked).remote()


def test_a_class_that_the_worker_cannot_import_is_named(ray: ModuleType, tmp_path: Path) -> None:
    """The calls fail with what is missing and what to do."""
    module = tmp_path / "only_here.py"
    module.write_text("class Hidden:\n    def same(self, value):\n        return value\n")
    spec = importlib.util.spec_from_file_location("only_here", module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["only_here"] = loaded
    try:
        spec.loader.exec_module(loaded)
        hidden = ray.remote(loaded.Hidden).remote()
        with pytest.raises(ray.exceptions.ActorDiedError, match=r"(?s)only_here.*working_dir"):
            ray.get(hidden.same.remote(1), timeout=10)
    finally:
        del sys.modules["only_here"]
