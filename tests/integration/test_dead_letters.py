"""I10: calls that take the process down again and again are slowed, shown, and set aside where that is wanted."""

import json
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard
from callboard.cli import main
from callboard.exceptions import ActorUnavailableError
from callboard.util import state
from callboard_broker.wire import entries, fields, text

BOUND = 30


class Poisoned(Mortal):
    """Dies of a call until that is mended."""

    def swallow(self, cure: str, line: str) -> str:
        """Note a line, and die unless there is a cure."""
        self.note(line)
        if not Path(cure).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return line


@pytest.fixture
def shell(on_stage: Stage) -> Any:
    """Run a command of the command line in this process."""

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [*arguments, "--address", on_stage.address])
        assert result.exit_code == code, result.output
        return result

    yield run
    on_stage.wire.call("DEL", on_stage.broker.keys.letters)


def poisoned(notes: Notes, **options: Any) -> Any:
    """Create an actor of a class that dies."""
    return callboard.remote(max_restarts=-1, max_task_retries=-1)(Poisoned).options(**options).remote(str(notes.path))


def letters(shell: Any) -> list[dict[str, Any]]:
    """Return the dead letters."""
    found: list[dict[str, Any]] = json.loads(shell("dead", "list", "-o", "json").stdout)
    return found


def test_i10_a_poisonous_call_is_set_aside(ray: ModuleType, notes: Notes, gate: Path, shell: Any) -> None:
    """Its caller gets an error that says where it is; the calls behind it go on, in order; nothing else is lost."""
    actor = poisoned(notes, max_deliveries=3)
    first = actor.note.remote("first")
    bad = actor.swallow.remote(str(gate), "bad")
    rest = [actor.note.remote(f"{number}") for number in range(5)]
    assert ray.get([first, *rest], timeout=BOUND) == ["first", *(f"{number}" for number in range(5))]
    with pytest.raises(ActorUnavailableError, match=r"died each of the 3 times .*`callboard dead show") as raised:
        ray.get(bad, timeout=BOUND)
    assert bad.hex() in str(raised.value)
    assert [line for line in notes.lines() if line not in {"init", "atexit"}] == [
        "first", "bad", "bad", "bad", *(f"{number}" for number in range(5)),
    ]  # fmt: skip
    (letter,) = letters(shell)
    assert (letter["class_name"], letter["method"], letter["deliveries"]) == ("Poisoned", "swallow", 3)
    assert letter["call_id"] == bad.hex()
    assert "SIGKILL" in letter["cause"]
    assert any(event.event == "set_aside" and event.reason == bad.hex() for event in state.list_events())
    shown = shell("dead", "show", bad.hex(), "-o", "json").stdout
    assert json.loads(shown)["letter_id"] == letter["letter_id"]
    assert state.list_dead_letters(filters=[("method", "=", "swallow")])[0].actor_id == actor._actor_id


@pytest.fixture
def orphan(on_stage: Stage, notes: Notes, gate: Path, shell: Any) -> Iterator[str]:
    """Leave a detached actor and a dead letter of it behind, as a program that has ended; return the letter's id."""
    with callboard.init(on_stage.address, _system_config={"max_deliveries": 1, "heartbeat_timeout_ms": 1500}):
        actor = poisoned(notes, name="orphan", lifetime="detached")
        with pytest.raises(ActorUnavailableError):
            callboard.get(actor.swallow.remote(str(gate), "bad"), timeout=BOUND)
        assert callboard.get(actor.note.remote("on"), timeout=BOUND) == "on"
    (letter,) = letters(shell)
    yield letter["letter_id"]
    shell("kill", "orphan")


def test_i10_a_dead_letter_is_retried(orphan: str, notes: Notes, gate: Path, shell: Any) -> None:
    """It runs once more with its old arguments; when it fails again it is a dead letter again."""
    assert "has failed again" in shell("dead", "retry", orphan, code=1).output
    (again,) = letters(shell)
    assert again["letter_id"] != orphan
    gate.touch()
    assert "swallow has run" in shell("dead", "retry", again["letter_id"]).output
    assert letters(shell) == []
    assert notes.count("bad") == 3
    assert "there is no dead letter" in shell("dead", "retry", orphan, code=3).output


def test_i9_a_forged_dead_letter_is_not_posted(
    orphan: str, on_stage: Stage, notes: Notes, gate: Path, shell: Any
) -> None:
    """Whoever can write to Redis cannot have the arguments changed."""
    gate.touch()
    key = on_stage.broker.keys.letters
    ((_, flat),) = entries(on_stage.wire.call("XRANGE", key, "-", "+"))
    told = {**fields(flat or []), "body": pickle.dumps(((str(gate), "forged"), {}))}
    forged = text(on_stage.wire.call("XADD", key, "*", *[part for pair in told.items() for part in pair]))
    assert "does not bear a valid MAC" in shell("dead", "retry", forged, code=1).output
    assert notes.count("forged") == 0
    shell("dead", "drop", forged)
    assert [letter["letter_id"] for letter in letters(shell)] == [orphan]


def test_i10_dead_letters_are_dropped(orphan: str, shell: Any) -> None:
    """One by one, or all; what is to be dropped must be said."""
    shell("dead", "drop", code=2)
    shell("dead", "drop", "--all", orphan, code=2)
    assert "dropped 1" in shell("dead", "drop", orphan).output
    assert "dropped 0" in shell("dead", "drop", "--all").output
    assert shell("dead", "list").stdout.split() == [
        column.upper() for column in state.DeadLetterState.columns(detail=False)
    ]


def test_i10_a_call_that_is_run_again_and_again_is_shown(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """R12: without a limit it goes on for ever, ever slower; the state API says which call it is, and how often."""
    actor = poisoned(notes)
    bad = actor.swallow.remote(str(gate), "bad")
    behind = actor.note.remote("behind")

    def retried() -> str | None:
        shown = state.get_actor(actor._actor_id)
        return shown.retried_call if shown else None

    wait_until(lambda: (retried() or "").startswith(f"swallow ({bad.hex()})"), what="the call to be shown")
    wait_until(lambda: retried() == f"swallow ({bad.hex()}), 3 times", what="the count", timeout=BOUND)
    gate.touch()
    assert ray.get([bad, behind], timeout=BOUND) == ["bad", "behind"]
    wait_until(lambda: retried() is None, what="nothing to be shown")
