"""I1, I8: connections that break, servers that are not ready, and keys that somebody deletes."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from chaos.link import Link
from tests.support.front import CERTIFICATE, front
from tests.support.mortals import Mortal, Notes, pass_gate
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.waiting import wait_until

import callboard
from callboard_broker import _silence
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import load_key
from callboard_broker.errors import BrokerUnreachableError, ClientGoneError
from callboard_broker.wire import Wire, items, text

BOUND = 20

#: What an operator does to a key that somebody waits for.
DELETED_OR_OVERWRITTEN = pytest.mark.parametrize(
    "accident", [("DEL", "{}"), ("SET", "{}", "nonsense")], ids=lambda accident: accident[0]
)


class Returning(Mortal):
    """An actor whose constructor waits for a gate when it comes back."""

    def __init__(self, notes: str, gate: str) -> None:
        super().__init__(notes)
        if self._notes.count("init") == 2:
            pass_gate(gate)


class Source:
    """An actor that gives an item, and another one behind a gate."""

    def items(self, gate: str) -> Iterator[str]:
        yield "first"
        pass_gate(gate)
        yield "second"

    def note(self, line: str) -> str:
        return line


class Taker(Mortal):
    """An actor that takes what another one gives."""

    def take(self, source: Any, gate: str) -> None:
        for item in source.items.options(num_returns="streaming").remote(gate):
            self._notes.add(callboard.get(item))


@contextlib.contextmanager
def loading_server(path: Path) -> Iterator[None]:
    """Play a server that still reads its file for the first to come, and has read it for the next."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            for ping in (b"-LOADING Redis is loading the dataset in memory\r\n", b"+PONG\r\n"):
                connected, _ = listening.accept()
                with connected:
                    connected.recv(1024)
                    connected.sendall(b"+OK\r\n" + ping)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join(BOUND)


def test_i1_a_server_that_reads_its_file_is_not_there_yet(tmp_path: Path) -> None:
    """It greets, and would refuse the first calls, which those behind them would overtake."""
    path = tmp_path / "socket"
    with loading_server(path):
        with pytest.raises(BrokerUnreachableError, match="LOADING"):
            Wire.open(f"unix://{path}", name="cb:me")
        Broker(f"unix://{path}", load_key(create=True)).connect("me", patience=BOUND).close()


def test_i1_questions_are_asked_again_when_their_connection_broke(ray: ModuleType, on_stage: Stage) -> None:
    """Whoever looks something up does not see that a connection was cut while it was idle."""
    actor = ray.remote(Mortal).options(name="asked").remote(str(on_stage.log_dir / "asked"))
    ray.get(actor.pid.remote(), timeout=BOUND)
    on_stage.wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert ray.get_actor("asked") == actor
    on_stage.wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    ray.kill(actor)


def test_i8_connections_that_have_fallen_silent_are_left(
    on_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: Notes, gate: Path
) -> None:
    """A peer that is gone without a word, behind something that keeps the connection, is not waited for for ever."""
    monkeypatch.setattr(_silence, "SILENCE", 1.0)
    link = Link(tmp_path / "door", Path(on_stage.address.removeprefix("unix://")))
    callboard.init(link.address, _system_config={"heartbeat_timeout_ms": HEARTBEAT_TIMEOUT * 1000})
    try:
        actor: Any = callboard.remote(Mortal).remote(str(notes.path))
        ref = actor.behind.remote(str(gate))
        wait_until(lambda: notes.count("behind"), what="the call to start")
        assert link.tell("abandon") > 0
        later = actor.note.remote("later")
        gate.touch()
        assert callboard.get([ref, later], timeout=BOUND) == ["behind", "later"]
        callboard.shutdown()
    finally:
        link.stop()


@pytest.mark.parametrize("tls", [False, True])
def test_i8_a_silence_is_waited_for_once(
    on_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tls: bool
) -> None:
    """What was open before is given up together with the connection that fell silent; what came later is not."""
    monkeypatch.setattr(_silence, "SILENCE", 1.0)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    link = Link(tmp_path / "door", Path(on_stage.address.removeprefix("unix://")))
    try:
        with front(str(tmp_path / "door"), tls=tls) as port, contextlib.ExitStack() as stack:
            address = f"{'rediss' if tls else 'redis'}://localhost:{port}"
            asked, idle, polled = (stack.enter_context(contextlib.closing(Wire.open(address))) for _ in range(3))
            elsewhere = stack.enter_context(contextlib.closing(Wire.open(on_stage.address)))
            assert link.tell("abandon") > 0
            asked.send(("PING",))
            later = stack.enter_context(contextlib.closing(Wire.open(address)))
            polled.send(("PING",))
            with pytest.raises(BrokerUnreachableError, match="fallen silent"):
                asked.receive()
            for broken in (idle, polled):
                assert broken.readable()
                with pytest.raises(BrokerUnreachableError, match="broke"):
                    broken.receive()
            assert later.call("PING") == elsewhere.call("PING") == b"PONG"
    finally:
        link.stop()


def test_i8_whoever_polls_notices_a_silence(on_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before its time, and only when something was asked."""
    monkeypatch.setattr(_silence, "SILENCE", 0.5)
    link = Link(tmp_path / "door", Path(on_stage.address.removeprefix("unix://")))
    try:
        with contextlib.closing(Wire.open(link.address)) as polled:
            link.tell("abandon")
            assert not polled.readable(1_000)
            polled.check_silence()
            polled.send(("PING",))
            polled.check_silence()
            assert not polled.readable(1_000)
            with pytest.raises(BrokerUnreachableError, match="fallen silent"):
                polled.check_silence()
    finally:
        link.stop()


@DELETED_OR_OVERWRITTEN
def test_i8_who_is_declared_dead_is_told_so_while_it_waits(
    own_stage: Stage, notes: Notes, gate: Path, accident: tuple[str, ...]
) -> None:
    """Without an inbox no outcome comes: whoever waits in that process gets an error, also with no bound."""
    actor: Any = callboard.remote(Mortal).remote(str(notes.path))
    ref = actor.behind.remote(str(gate))
    wait_until(lambda: notes.count("behind"), what="the call to start")
    look, keys = own_stage.wire, own_stage.broker.keys
    (client,) = [
        name for name in map(text, items(look.call("SMEMBERS", keys.clients))) if b"driver" in _kind(own_stage, name)
    ]
    look.call(*(word.format(keys.inbox(client).decode()) for word in accident))
    with pytest.raises(ClientGoneError, match="declared dead"):
        callboard.get(ref)


def _kind(own: Stage, client: str) -> bytes:
    kind = own.wire.call("HGET", own.broker.keys.client(client), "kind")
    return kind if isinstance(kind, bytes) else b""


def test_i8_whoever_waits_when_everything_is_deleted_is_told_so(own_stage: Stage, notes: Notes, gate: Path) -> None:
    """FLUSHDB leaves nobody waiting, and no process that is an actor no longer."""
    actor: Any = callboard.remote(Mortal).remote(str(notes.path))
    ref = actor.behind.remote(str(gate))
    wait_until(lambda: notes.count("behind"), what="the call to start")
    own_stage.wire.call("FLUSHDB")
    with pytest.raises(ClientGoneError, match="declared dead"):
        callboard.get(ref)
    wait_until(lambda: notes.pid not in own_stage.workers(), what="the worker to leave", timeout=BOUND)


@pytest.mark.parametrize(
    "accident",
    [("DEL", "{}"), ("RENAME", "{}", "{}:elsewhere"), ("SET", "{}", "nonsense"), ("XTRIM", "{}", "MAXLEN", "0")],
    ids=lambda accident: accident[0],
)
def test_i8_calls_whose_entries_are_deleted_are_not_waited_for(
    own_stage: Stage, notes: Notes, gate: Path, accident: tuple[str, ...]
) -> None:
    """The caller notices, and posts them again; the one that ran has lost its outcome, and the actor goes on."""
    actor: Any = callboard.remote(Mortal).options(max_restarts=-1).remote(str(notes.path))
    running = actor.behind.remote(str(gate))
    wait_until(lambda: notes.count("behind"), what="the call to start")
    waiting = [actor.note.remote("first"), actor.note.remote("second")]
    look, mailbox = own_stage.wire, own_stage.broker.keys.mailbox(actor._actor_id).decode()
    wait_until(lambda: look.call("XLEN", mailbox) == 3, what="the calls to be there")
    look.call(*(word.format(mailbox) for word in accident))
    gate.touch()
    with pytest.raises(callboard.exceptions.ActorUnavailableError, match="has lost the outcome"):
        callboard.get(running)
    assert callboard.get(waiting) == ["first", "second"]
    assert callboard.get(actor.note.remote("goes on"), timeout=BOUND) == "goes on"
    assert notes.lines()[1:] == ["behind", "first", "second", "goes on"]
    look.call("DEL", f"{mailbox}:elsewhere")


@pytest.mark.parametrize(
    ("part", "accident"), [("mailbox", "DEL {}"), ("mailbox", "SET {} nonsense"), ("seen", "SET {} nonsense")]
)
def test_i8_an_actor_one_of_whose_keys_is_lost_before_it_serves_goes_on(
    own_stage: Stage, notes: Notes, gate: Path, part: str, accident: str
) -> None:
    """Its last constructor, which runs meanwhile, is not in vain, and what was posted before is posted again."""
    returning = callboard.remote(max_restarts=1, max_task_retries=-1)(Returning)
    actor: Any = returning.remote(str(notes.path), str(gate))
    assert callboard.get(actor.note.remote("first"), timeout=BOUND) == "first"
    os.kill(notes.pid, signal.SIGKILL)
    wait_until(lambda: notes.count("init") == 2, what="the constructor to run again")
    waiting = actor.note.remote("second")
    look, keys = own_stage.wire, own_stage.broker.keys
    wait_until(lambda: look.call("XLEN", keys.mailbox(actor._actor_id)) == 1, what="the call to be there")
    key = getattr(keys, part)(actor._actor_id).decode()
    look.call(*accident.format(key).split())
    gate.touch()
    assert callboard.get(waiting, timeout=BOUND) == "second"
    assert notes.count("init") == 2


def test_i8_an_actor_whose_caller_has_lost_its_inbox_serves_the_others(
    own_stage: Stage, notes: Notes, gate: Path
) -> None:
    """Also when that caller takes one item after the other: what cannot be given is not offered for ever."""
    source: Any = callboard.remote(Source).remote()
    taker: Any = callboard.remote(Taker).remote(str(notes.path))
    taken = taker.take.remote(source, str(gate))
    wait_until(lambda: notes.count("first"), what="the first item to come")
    look, keys = own_stage.wire, own_stage.broker.keys
    clients = map(text, items(look.call("SMEMBERS", keys.clients)))
    (client,) = [name for name in clients if look.call("HGET", keys.client(name), "pid") == b"%d" % notes.pid]
    look.call("SET", keys.inbox(client), "nonsense")
    gate.touch()
    assert callboard.get(source.note.remote("later"), timeout=BOUND) == "later"
    with pytest.raises(callboard.exceptions.RayError):
        callboard.get(taken, timeout=BOUND)


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("part", ["seen", "attempts", "control"])
def test_i8_an_actor_one_of_whose_keys_is_overwritten_goes_on(
    own_stage: Stage, notes: Notes, gate: Path, part: str, at_once: int
) -> None:
    """What is put in its place is deleted when it is in the way; no result is lost, and nobody is restarted."""
    actor: Any = callboard.remote(Mortal).options(max_concurrency=at_once).remote(str(notes.path))
    running = actor.behind.remote(str(gate))
    wait_until(lambda: notes.count("behind"), what="the call to start")
    own_stage.wire.call("SET", getattr(own_stage.broker.keys, part)(actor._actor_id), "nonsense")
    later = actor.note.remote("later")
    gate.touch()
    assert callboard.get([running, later], timeout=BOUND) == ["behind", "later"]
    assert notes.count("init") == 1


@DELETED_OR_OVERWRITTEN
def test_i8_calls_of_an_actor_whose_record_is_lost_are_not_waited_for(
    own_stage: Stage, notes: Notes, gate: Path, accident: tuple[str, ...]
) -> None:
    """I10: its process leaves, whoever waits is told that it is no more, and the others are seen to as before."""
    other = Notes(notes.path.with_name("other"))
    survivor: Any = callboard.remote(Mortal).options(max_restarts=-1, max_task_retries=-1).remote(str(other.path))
    assert callboard.get(survivor.note.remote("here"), timeout=BOUND) == "here"
    actor: Any = callboard.remote(Mortal).remote(str(notes.path))
    ref = actor.behind.remote(str(gate))
    wait_until(lambda: notes.count("behind"), what="the call to start")
    own_stage.wire.call(*(word.format(own_stage.broker.keys.actor(actor._actor_id).decode()) for word in accident))
    with pytest.raises(callboard.exceptions.ActorDiedError):
        callboard.get(ref)
    wait_until(lambda: notes.pid not in own_stage.workers(), what="the worker to leave", timeout=BOUND)
    survivor.die.remote()
    assert callboard.get(survivor.note.remote("still here"), timeout=BOUND) == "still here"
