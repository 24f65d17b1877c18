"""The state API, on records that the broker's own operations have written."""

import contextlib
import dataclasses
import os
import signal
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.board import KEY, Board, own_place
from tests.support.looking import times_asked

import callboard
from callboard.exceptions import BrokerUnreachableError, RaySystemError
from callboard.util import _reading, list_named_actors, state
from callboard_broker import deaths
from callboard_broker.host import host_id
from callboard_broker.page import StatusPage, page_path
from callboard_broker.records import State


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Start a callboard that the environment names, and find what is left behind."""
    with own_place(monkeypatch), contextlib.closing(Board()) as started:
        monkeypatch.setenv("CALLBOARD_ADDRESS", started.address)
        yield started


def test_l1_a_living_actor_is_described(board: Board) -> None:
    """All of Ray's columns, and ours; without detail those after ray_namespace are None."""
    node = board.node(hostname="vm", host="elsewhere")
    record = board.alive(
        node=node, name="n", num_cpus=1.0, resources='{"gpu": 2}', detached=True, runtime_env='{"env_vars": {}}'
    )
    board.post(record, 3)
    whole = {
        "actor_id": record.actor_id, "class_name": "Counter", "state": "ALIVE", "job_id": record.job_id, "name": "n",
        "node_id": node, "pid": 4711, "ray_namespace": "tests", "serialized_runtime_env": '{"env_vars": {}}',
        "required_resources": {"CPU": 1.0, "gpu": 2}, "death_cause": None, "is_detached": True,
        "placement_group_id": None, "repr_name": "", "num_restarts": 0, "mailbox_length": 3, "current_call": None,
        "retried_call": None, "ending": False, "pending_reason": None,
    }  # fmt: skip
    (found,) = state.list_actors(detail=True)
    assert found.asdict() == whole
    assert state.get_actor(record.actor_id) == found
    (brief,) = state.list_actors()
    base = list(whole)[:8]
    assert brief.asdict() == {column: whole[column] if column in base else None for column in whole}


def test_l2_every_state_is_shown(board: Board) -> None:
    """From the moment of creation to the end."""
    waiting = board.actor(state=State.DEPENDENCIES_UNREADY)
    pending = board.actor(pending_reason="no node has a gpu")
    living = board.alive()
    dead = board.dead()
    states = {actor.actor_id: actor.state for actor in state.list_actors()}
    assert states == {
        waiting.actor_id: "DEPENDENCIES_UNREADY",
        pending.actor_id: "PENDING_CREATION",
        living.actor_id: "ALIVE",
        dead.actor_id: "DEAD",
    }
    found = state.get_actor(pending.actor_id)
    assert found is not None
    assert (found.node_id, found.pid, found.pending_reason) == (None, 0, "no node has a gpu")
    board.ask("HSET", board.keys.actor(living.actor_id), "state", "RESTARTING", "num_restarts", 1)
    (restarting,) = state.list_actors(filters=[("state", "=", "restarting")], detail=True)
    assert restarting.num_restarts == 1


def test_l2_a_death_is_explained_as_ray_does(board: Board) -> None:
    """The context has Ray's fields, with host names where Ray has addresses."""
    node = board.node(hostname="vm", host="elsewhere")
    record = board.dead(deaths.worker_died("signal 9 (SIGKILL)", used=0, allowed=0), node=node, name="n")
    found = state.get_actor(record.actor_id)
    assert found is not None
    assert found.death_cause is not None
    assert found.death_cause["actor_died_error_context"] == {
        "error_message": "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker "
        "exit detail: Worker exits unexpectedly with signal 9 (SIGKILL). max_restarts=0: no restart is allowed.",
        "owner_id": board.owner, "owner_ip_address": "here", "node_ip_address": "vm", "ray_namespace": "tests",
        "class_name": "Counter", "actor_id": record.actor_id, "pid": 4711, "name": "n", "never_started": False,
        "reason": "WORKER_DIED", "exit_type": "SYSTEM_ERROR",
    }  # fmt: skip
    assert (found.ending, found.mailbox_length) == (False, 0)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (deaths.killed(), "RAY_KILL"),
        (deaths.out_of_scope(), "OUT_OF_SCOPE"),
        (deaths.intended_exit(), "WORKER_DIED"),
        (deaths.owner_died("abc", "exit code 1"), "OWNER_DIED"),
        (deaths.graceful_timeout(3), "GRACEFUL_TIMEOUT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_l2_reasons(board: Board, cause: deaths.DeathCause, reason: str) -> None:
    """Each cause is shown under its reason, with its sentence and what belongs to it."""
    board.dead(cause)
    (found,) = state.list_actors(detail=True)
    assert found.death_cause is not None
    context = found.death_cause["actor_died_error_context"]
    assert (context["reason"], context["error_message"]) == (reason, cause.message)
    assert context["owner_id"] == (cause.owner or board.owner)
    assert context.get("exit_type", "") == cause.exit_type.value


def test_l2_a_failed_constructor_shows_its_traceback(board: Board) -> None:
    """The traceback is text; the actor never started."""
    trace = "Traceback (most recent call last):\nValueError: no"
    record = board.finish(board.actor(), deaths.creation_failed(trace))
    found = state.get_actor(record.actor_id)
    assert found is not None
    assert found.death_cause is not None
    context = found.death_cause["actor_died_error_context"]
    assert (context["traceback"], context["never_started"], context["reason"]) == (trace, True, "CREATION_FAILED")


def test_l1_an_actor_that_is_ending_says_so(board: Board) -> None:
    """Sealed and not DEAD yet: what lies in the sealed mailbox counts as waiting."""
    record = board.alive()
    board.post(record, 2)
    board.ask("RENAME", board.keys.mailbox(record.actor_id), board.keys.sealed(record.actor_id))
    board.ask("HSET", board.keys.actor(record.actor_id), "sealed", deaths.SEALED_TERMINATE)
    (found,) = state.list_actors(filters=[("ending", "=", "true")], detail=True)
    assert (found.state, found.mailbox_length, found.death_cause) == ("ALIVE", 2, None)


def test_l1_the_current_call_is_read_from_the_status_page(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a call runs on this host its method is shown; a page of another host is not looked for."""
    monkeypatch.setenv("CALLBOARD_SHM_DIR", f"{tempfile.gettempdir()}/pages")
    record = board.alive(node=board.node(host=host_id()))
    far = board.alive(node=board.node(host="elsewhere"))
    paths = [page_path(actor.actor_id, actor.token) for actor in (record, far)]
    page = StatusPage.create(paths[0])
    StatusPage.create(paths[1]).call_started(b"1-0", 1, b"far")

    def current() -> list[tuple[str, str | None]]:
        return [(actor.actor_id, actor.current_call) for actor in state.list_actors(detail=True) if actor.current_call]

    assert current() == []
    page.call_started(b"1-0", 1, b"work")
    assert current() == [(record.actor_id, "work")]
    assert len(state.list_actors(filters=[("current_call", "=", "work")])) == 1
    page.call_finished()
    assert current() == []
    slots = [page.slot_claim((number, 0), method) for number, method in enumerate([b"store", b"fetch", b"fetch"])]
    assert current() == [(record.actor_id, "fetch (2), store")]
    for slot in slots:
        page.slot_free(slot)
    assert current() == []
    page.close()
    for path in paths:
        StatusPage.unlink(path)


def test_l1_filters_and_limit(board: Board) -> None:
    """The limit counts what matches; details can be filtered by without being shown."""
    counters = [board.alive(class_name="Counter") for _ in range(3)]
    probe = board.alive(class_name="Probe")
    board.post(probe, 2)
    found = state.list_actors(filters=[("class_name", "=", "Counter")], limit=2)
    assert len(found) == 2
    assert {actor.actor_id for actor in found} < {record.actor_id for record in counters}
    (busy,) = state.list_actors(filters=[("mailbox_length", "=", 2)])
    assert (busy.actor_id, busy.mailbox_length) == (probe.actor_id, None)
    assert state.list_actors(filters=[("class_name", "!=", "Counter"), ("state", "=", "DEAD")]) == []


def test_l3_the_living_come_first_and_the_dead_stay_listed(board: Board) -> None:
    """Newest first among each, whatever the batch's size."""
    living = [board.actor(created_at=100 + number) for number in range(3)]
    dead = [board.dead() for _ in range(3)]
    for number, record in enumerate(dead):
        board.ask("ZADD", board.keys.dead, 1000 + number, record.actor_id)
    expected = [record.actor_id for record in living[::-1] + dead[::-1]]
    assert [actor.actor_id for actor in state.list_actors()] == expected
    assert [actor.actor_id for actor in state.list_actors(limit=4)] == expected[:4]


def test_l1_many_actors_are_read_in_batches(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """More actors than fit into one packet are all found, once each."""
    monkeypatch.setattr(_reading, "BATCH", 3)
    records = [board.alive() for _ in range(7)] + [board.dead() for _ in range(7)]
    found = [actor.actor_id for actor in state.list_actors(detail=True)]
    assert sorted(found) == sorted(record.actor_id for record in records)


def test_l1_an_actor_that_dies_meanwhile_is_listed_once(board: Board) -> None:
    """Between the reading of the indexes and of the records."""
    record = board.dead()
    board.ask("SADD", board.keys.actors, record.actor_id)
    assert [actor.state for actor in state.list_actors()] == ["DEAD"]


@pytest.mark.usefixtures("board")
def test_l1_an_unknown_actor_is_none() -> None:
    """Ids that nobody has are no error."""
    assert state.get_actor("ab" * 16) is None


def test_l1_actors_are_summarized_by_class(board: Board) -> None:
    """In the shape of Ray's answer, the DEAD included."""
    board.alive()
    board.alive()
    board.dead()
    board.actor(class_name="Probe")
    assert state.summarize_actors() == {
        "cluster": {
            "summary": {
                "Counter": {"class_name": "Counter", "state_counts": {"ALIVE": 2, "DEAD": 1}},
                "Probe": {"class_name": "Probe", "state_counts": {"PENDING_CREATION": 1}},
            },
            "total_actors": 4,
            "summary_by": "class",
        }
    }


def test_l1_only_what_is_shown_is_read(board: Board) -> None:
    """Without details, and without filters by them, no record is read as a whole."""
    waiting = board.actor(pending_reason="no node has a gpu")
    dead = board.dead()
    before = times_asked(board.wire, "hgetall")
    assert [actor.actor_id for actor in state.list_actors()] == [waiting.actor_id, dead.actor_id]
    assert state.summarize_actors()["cluster"]["total_actors"] == 2
    assert times_asked(board.wire, "hgetall") == before
    (found,) = state.list_actors(filters=[("pending_reason", "=", "no node has a gpu")])
    assert (found.actor_id, found.pending_reason) == (waiting.actor_id, None)
    assert times_asked(board.wire, "hgetall") == before + 2


def test_l1_a_record_that_cannot_be_read(board: Board) -> None:
    """It is an error that names the key, or is left out when that is wanted; what is not looked at does no harm."""
    good, bad, worse = board.alive(), board.alive(), board.alive()
    board.ask("HSET", board.keys.actor(bad.actor_id), "pid", "none")
    with pytest.raises(RaySystemError, match=f"{bad.actor_id} cannot be read: .*raise_on_missing_output=False"):
        state.list_actors()
    board.ask("HSET", board.keys.actor(worse.actor_id), "death_cause", "[]")
    (found,) = state.list_actors(raise_on_missing_output=False, detail=True)
    assert found.actor_id == good.actor_id
    brief = state.list_actors(raise_on_missing_output=False)
    assert {actor.actor_id for actor in brief} == {good.actor_id, worse.actor_id}
    assert state.summarize_actors(raise_on_missing_output=False)["cluster"]["total_actors"] == 2
    with pytest.raises(RaySystemError, match=f"{bad.actor_id} cannot be read"):
        state.summarize_actors()


def test_l1_a_server_that_does_not_answer_in_time(board: Board) -> None:
    """Nobody waits longer than was said."""
    with _reading.reading(timeout=0.1) as reader:
        os.kill(board.server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(BrokerUnreachableError, match=r"did not answer within 0\.1 s: raise the timeout"):
                reader.ask(("PING",))
        finally:
            os.kill(board.server.pid, signal.SIGCONT)


def test_l1_what_came_in_time_is_returned_if_wanted(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """With raise_on_missing_output=False an answer that breaks off is returned as far as it came."""
    living = board.alive()
    board.dead()
    read = _reading.Reader.records

    def until_the_dead(*arguments: Any) -> Any:
        if arguments[3] != [living.actor_id]:
            raise BrokerUnreachableError("late")
        return read(*arguments)

    monkeypatch.setattr(_reading.Reader, "records", until_the_dead)
    assert [actor.actor_id for actor in state.list_actors(raise_on_missing_output=False)] == [living.actor_id]
    with pytest.raises(BrokerUnreachableError, match="late"):
        state.list_actors()


def test_l1_nodes_and_clients(board: Board) -> None:
    """Nodes with their room; drivers and workers, with what is kept for them."""
    node = board.node(
        hostname="vm", host="h", pid=5, beat=9, total='{"CPU": 4}', free='{"CPU": 3}', actors=1, log_dir="/logs"
    )
    worker = board.client(kind="worker", hostname="vm", pid=6, actor="a" * 32, node=node)
    leaving = board.client()
    board.ask("HSET", board.keys.client(leaving), "leaving", "normal")
    board.ask("XADD", board.keys.inbox(worker), "*", "id", "1")
    (found,) = state.list_nodes(detail=True)
    assert found.asdict() == {
        "node_id": node, "node_name": "vm", "state": "ALIVE", "pid": 5, "actors": 1, "resources_total": {"CPU": 4},
        "resources_available": {"CPU": 3}, "host": "h", "heartbeat": 9, "log_dir": "/logs",
    }  # fmt: skip
    assert [row.heartbeat for row in state.list_nodes()] == [None]
    clients = {client.client_id: client for client in state.list_clients(detail=True)}
    assert set(clients) == {board.owner, worker, leaving}
    assert clients[leaving].state == "LEAVING"
    shown = clients[worker]
    assert (shown.kind, shown.actor_id, shown.node_id, shown.inbox_length) == ("worker", "a" * 32, node, 1)
    assert [row.client_id for row in state.list_clients(filters=[("inbox_length", "=", 1)])] == [worker]


def test_n1_names_are_those_that_can_be_got(board: Board) -> None:
    """Names of the DEAD and the killed are not among them, nor one that lost the race for its name."""
    first = board.alive(name="a")
    other = board.actor(name="a", namespace="others")
    board.alive()
    board.dead(name="gone")
    killed = board.alive(name="killed")
    board.ask("HSET", board.keys.actor(killed.actor_id), "voided", 1)
    board.actor(name="a", state=State.DEPENDENCIES_UNREADY)
    found = [dataclasses.astuple(name) for name in state.list_names()]
    assert found == [("a", "others", other.actor_id), ("a", "tests", first.actor_id)]


def test_n1_a_driver_looks_at_its_own_callboard(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address; names are those of its namespace unless all are wanted."""
    board.alive(name="a")
    board.alive(name="b", namespace="others")
    monkeypatch.setenv("CALLBOARD_KEY", KEY.secret.hex())
    monkeypatch.delenv("CALLBOARD_ADDRESS")
    with callboard.init(board.address, namespace="tests") as context:
        assert list_named_actors() == ["a"]
        assert list_named_actors(all_namespaces=True) == [
            {"name": "b", "namespace": "others"},
            {"name": "a", "namespace": "tests"},
        ]
        assert len(state.list_actors()) == 2
        assert context.client_id in {client.client_id for client in state.list_clients()}


def test_l1_nobody_answers() -> None:
    """The error is the broker's, and names the address."""
    with pytest.raises(BrokerUnreachableError, match="no Redis answers at redis://127"):
        state.list_actors(address="redis://127.0.0.1:1/0")
