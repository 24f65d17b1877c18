"""I1, I5, I8: servers that come back without what they had acknowledged, and operators who delete it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.forgetful import Forgetful, forgetful
from tests.support.kinds import KINDS, create
from tests.support.mortals import Mortal, Notes
from tests.support.waiting import wait_until

import callboard
from callboard import _session
from callboard.exceptions import ActorDiedError, ActorUnavailableError
from callboard_broker.errors import ClientGoneError
from callboard_broker.journal import read_journal
from callboard_broker.page import page_path
from callboard_broker.wire import integer, text

BOUND = 30


@pytest.fixture
def board() -> Iterator[Forgetful]:
    """Lend a callboard whose server forgets."""
    with forgetful() as running:
        yield running


class Counter(Mortal):
    """Notes what it does, and waits where it is told to."""

    def hold(self, gate: str, line: str) -> str:
        """Note a line and wait for a gate."""
        self.note(line)
        while not Path(gate).exists():
            pass
        return line

    def length(self, line: str, other: Any) -> int:
        """Note a line, and return how many lines another actor has noted."""
        self.note(line)
        return len(callboard.get(other[0].lines.remote()))

    def lines(self) -> list[str]:
        """Return the lines noted."""
        return self._notes.lines()


def counter(notes: Notes, **options: Any) -> Any:
    """Create an actor that is ready."""
    actor = callboard.remote(**{"max_restarts": -1, **options})(Counter).remote(str(notes.path))
    callboard.get(actor.note.remote("ready"), timeout=BOUND)
    return actor


def test_i1_forgotten_calls_are_posted_again_in_order(board: Forgetful, notes: Notes, gate: Path) -> None:
    """Those that waited, and one that ran meanwhile: each runs once, and its caller gets its result."""
    actor = counter(notes)
    board.remember()
    running = actor.hold.remote(str(gate), "held")
    waiting = [actor.note.remote(f"{number}") for number in range(20)]
    wait_until(lambda: notes.count("held"), what="the call to start")
    board.forget()
    gate.touch()
    numbers = [f"{number}" for number in range(20)]
    assert callboard.get([running, *waiting], timeout=BOUND) == ["held", *numbers]
    assert notes.lines()[2:] == ["held", *numbers]
    assert callboard.get(actor.note.remote("later"), timeout=BOUND) == "later"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_i1_a_running_call_of_an_actor_that_runs_several_at_once_runs_once(
    board: Forgetful, notes: Notes, gate: Path, kind: str
) -> None:
    """It is posted again while it runs, and its outcome goes to the entry that came later."""
    actor = create(kind, notes, at_once=4)
    callboard.get(actor.pid.remote(), timeout=BOUND)
    board.remember()
    refs = [actor.hold.remote(str(gate), f"{number}") for number in range(3)]
    wait_until(lambda: all(notes.count(f"{number} began") for number in range(3)), what="the calls to start")
    board.forget()
    # It answers again, so what was to be posted once more is there.
    assert callboard.get(actor.pid.remote(), timeout=BOUND)
    gate.touch()
    assert callboard.get(refs, timeout=BOUND) == ["0", "1", "2"]
    assert [notes.count(f"{number} began") for number in range(3)] == [1, 1, 1]


def settled(actor: Any, notes: Notes, board: Forgetful) -> list[Any]:
    """Return calls that have run and been settled, but whose outcomes nobody has read."""
    refs = [actor.note.remote(f"{number}") for number in range(3)]
    mailbox = board.stage.broker.keys.mailbox(actor._actor_id)
    wait_until(lambda: notes.count("2") and not integer(board.ask("XLEN", mailbox)), what="the calls to be settled")
    token = text(board.ask("HGET", board.stage.broker.keys.actor(actor._actor_id), "token"))
    # Until the worker knows that they are, it keeps their outcomes; what it refuses makes it listen.
    board.ask("XADD", mailbox, "*", "no", "call")
    wait_until(lambda: not read_journal(page_path(actor._actor_id, token)), what="the worker to hear of it")
    return refs


def test_i1_calls_whose_outcomes_were_forgotten_run_again_if_they_may(board: Forgetful, notes: Notes) -> None:
    """I5: the outcome was committed, but Redis has lost it; retries allow a second run, and the order is kept."""
    actor = counter(notes, max_task_retries=1)
    board.remember()
    refs = settled(actor, notes, board)
    board.forget()
    assert callboard.get(refs, timeout=BOUND) == ["0", "1", "2"]
    assert notes.lines()[2:] == ["0", "1", "2", "0", "1", "2"]


def test_i1_forgotten_outcomes_of_an_actor_that_runs_several_at_once_are_made_again(
    board: Forgetful, notes: Notes
) -> None:
    """Its calls come on another connection than its answers go, which need not have noticed yet."""
    actor = counter(notes, max_task_retries=1, max_concurrency=4)
    board.remember()
    refs = settled(actor, notes, board)
    board.forget()
    assert callboard.get(refs, timeout=BOUND) == ["0", "1", "2"]
    assert [notes.count(f"{number}") for number in range(3)] == [2, 2, 2]


def test_i5_calls_without_retries_never_run_again(board: Forgetful, notes: Notes) -> None:
    """Their callers are told that they have run, and what has become of the outcome."""
    actor = counter(notes)
    board.remember()
    refs = settled(actor, notes, board)
    board.forget()
    for ref in refs:
        with pytest.raises(ActorUnavailableError, match="it has run the call, but Redis was restarted with older data"):
            callboard.get(ref, timeout=BOUND)
    assert callboard.get(actor.note.remote("later"), timeout=BOUND) == "later"
    assert notes.lines()[2:] == ["0", "1", "2", "later"]


def test_i4_a_server_that_remembers_has_nothing_run_again(board: Forgetful, notes: Notes, gate: Path) -> None:
    """After a restart that lost nothing, calls that are posted again are recognised."""
    actor = counter(notes, max_task_retries=-1)
    running = actor.hold.remote(str(gate), "held")
    waiting = [actor.note.remote(f"{number}") for number in range(20)]
    wait_until(lambda: notes.count("held"), what="the call to start")
    board.remember()
    board.forget()
    gate.touch()
    numbers = [f"{number}" for number in range(20)]
    assert callboard.get([running, *waiting], timeout=BOUND) == ["held", *numbers]
    assert callboard.get(actor.note.remote("later"), timeout=BOUND) == "later"
    assert notes.lines()[2:] == ["held", *numbers, "later"]


def test_i7_forgotten_handles_are_held_again(board: Forgetful, notes: Notes, gate: Path) -> None:
    """H4: those that this process holds, and those in calls that were forgotten."""
    actor = counter(notes)
    board.remember()
    other = counter(Notes(notes.path.with_name("other")))
    board.remember()
    blocked = actor.hold.remote(str(gate), "held")
    wait_until(lambda: notes.count("held"), what="the call to start")
    carrying = actor.length.remote("carrying", [other])
    del other
    board.forget()
    gate.touch()
    assert callboard.get(blocked, timeout=BOUND) == "held"
    assert callboard.get(carrying, timeout=BOUND) == 2


def test_r1_an_actor_that_was_restarted_since_is_restarted_once_more(board: Forgetful, notes: Notes) -> None:
    """Its record names an incarnation that is dead; the one that runs is not that any more, and leaves."""
    actor = counter(notes, max_task_retries=-1)
    board.remember()
    os.kill(notes.pid, signal.SIGKILL)
    wait_until(lambda: notes.count("init") == 2, what="the restart")
    assert callboard.get(actor.note.remote("second life"), timeout=BOUND) == "second life"
    board.forget()
    assert callboard.get(actor.note.remote("third life"), timeout=BOUND) == "third life"
    assert notes.count("init") == 3


def test_i8_an_actor_that_was_forgotten_is_dead(board: Forgetful, notes: Notes, gate: Path) -> None:
    """Whoever waits for it is told, and its process leaves."""
    board.remember()
    actor = counter(notes)
    blocked = actor.hold.remote(str(gate), "held")
    wait_until(lambda: notes.count("held"), what="the call to start")
    board.forget()
    # This process has joined before the copy was made, so it is still known.
    with pytest.raises(ActorDiedError, match="record is gone"):
        callboard.get(blocked, timeout=BOUND)
    gate.touch()


def test_a9_forgotten_tasks_are_submitted_again(board: Forgetful, notes: Notes, gate: Path) -> None:
    """Those that wait for a worker."""

    @callboard.remote(num_cpus=8)
    def work(line: str) -> str:
        Notes(notes.path).add(line)
        return line

    @callboard.remote(num_cpus=8)
    def block() -> None:
        while not gate.exists():
            pass

    assert callboard.get(work.remote("first"), timeout=BOUND) == "first"
    blocked = block.remote()
    wait_until(lambda: board.ask("KEYS", "cb:*:task:*"), what="the task")
    board.remember()
    refs = [work.remote(f"{number}") for number in range(3)]
    wait_until(lambda: len(board.ask("KEYS", "cb:*:task:*")) == 4, what="the tasks")  # type: ignore[arg-type] # a list
    # So that nothing is owed on the connection, and nobody waits for it.
    _session.client().outbound.flush()
    board.forget()
    gate.touch()
    assert callboard.get(refs, timeout=BOUND) == ["0", "1", "2"]
    assert callboard.get(blocked, timeout=BOUND) is None


@pytest.mark.parametrize("lost", ["everything", "the inbox"])
def test_i8_a_client_that_was_forgotten_waits_for_nothing(
    board: Forgetful, notes: Notes, gate: Path, lost: str
) -> None:
    """Its heartbeat finds that it is none any more: what it waits for raises, and so does what it calls next."""
    actor = counter(notes)
    blocked = actor.hold.remote(str(gate), "held")
    wait_until(lambda: notes.count("held"), what="the call to start")
    inbox = board.stage.broker.keys.inbox(_session.client().id)
    board.ask("FLUSHALL") if lost == "everything" else board.ask("DEL", inbox)
    with pytest.raises(ClientGoneError, match=r"shutdown\(\) and init\(\) again"):
        callboard.get(blocked, timeout=BOUND)
    with pytest.raises(ClientGoneError):
        callboard.get(actor.lines.remote(), timeout=BOUND)
    gate.touch()
