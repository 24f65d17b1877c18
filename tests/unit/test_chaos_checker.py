"""The checker of chaos runs, with histories that are wrong on purpose: one breach each, found by one rule."""

import ast
import itertools
import os
from pathlib import Path

import pytest
from chaos.checker import Rules, judge
from chaos.history import Event, Kind, Pen, read

SECOND = 1_000_000_000
RULES = Rules(bound=10)
CHAOS = Path(__file__).parents[2] / "chaos"


class Story:
    """Write a history, an event a millisecond."""

    def __init__(self, terms: str = "ordered retried") -> None:
        self.events: list[Event] = []
        self._terms = terms
        self._clock = itertools.count(SECOND, 1_000_000)
        self._late = 0
        self.born("one")

    def _add(self, kind: Kind, caller: str = "", call: int = -1, incarnation: str = "", told: str = "") -> "Story":
        actor = "" if kind in {Kind.FAULT, Kind.HEALED, Kind.KILLED} else "actor"
        self.events.append(Event(next(self._clock) + self._late, kind, caller, actor, call, incarnation, told))
        return self

    def born(self, incarnation: str) -> "Story":
        return self._add(Kind.BORN, incarnation=incarnation)

    def make(self, *calls: int, caller: str = "ann") -> "Story":
        for call in calls:
            self._add(Kind.INVOKE, caller, call, told=self._terms)
        return self

    def start(self, call: int, incarnation: str = "one", caller: str = "ann") -> "Story":
        return self._add(Kind.START, caller, call, incarnation)

    def ok(self, call: int, incarnation: str = "one", caller: str = "ann", told: str = "") -> "Story":
        return self._add(Kind.OK, caller, call, incarnation, told or f"{caller}/{call}")

    def fail(self, call: int, told: str, kind: Kind = Kind.FAIL) -> "Story":
        return self._add(kind, "ann", call, told=told)

    def run(self, call: int, incarnation: str = "one", caller: str = "ann") -> "Story":
        return self.start(call, incarnation, caller).ok(call, incarnation, caller)

    def note(self, kind: Kind, caller: str = "") -> "Story":
        return self._add(kind, caller)

    def wait(self, seconds: float) -> "Story":
        self._late += int(seconds * SECOND)
        return self

    def breaches(self, rules: Rules = RULES) -> list[str]:
        return judge(self.events, rules)


def crashed() -> Story:
    """Call 0 ran, call 1 had started when the process died, and ran again in the next."""
    return Story().make(0, 1, 2).run(0).start(1).born("two").run(1, "two").run(2, "two")


def test_a_history_as_promised_has_no_breach() -> None:
    """Retries in their place, two callers, a killed one, and a wait that is explained."""
    story = crashed().make(0, caller="bob").start(0, "two", "bob").note(Kind.KILLED, "bob")
    story.make(3).note(Kind.FAULT).wait(9).note(Kind.HEALED).wait(9).run(3, "two")
    assert story.breaches() == []


def test_a_call_without_an_outcome_is_lost() -> None:
    """Whoever lives hears of his call."""
    assert Story().make(0, 1).run(1).breaches() == ["call 0 of ann to actor has no outcome"]


def test_a_call_of_a_killed_caller_needs_no_outcome() -> None:
    """Nobody is there to hear of it."""
    assert Story().make(0).note(Kind.KILLED, "ann").breaches() == []


def test_an_outcome_that_nobody_knows_is_a_breach() -> None:
    """A caller that gave up waiting has not been told."""
    (breach,) = Story().make(0).fail(0, "GetTimeoutError: ...", Kind.UNKNOWN).breaches()
    assert "nobody knows" in breach


def test_two_outcomes_of_a_call() -> None:
    """A call has one."""
    assert "2 outcomes" in Story().make(0).run(0).ok(0).breaches()[0]


def test_an_outcome_of_a_call_that_was_never_made() -> None:
    """An outcome belongs to a call."""
    assert any("never made" in breach for breach in Story().run(0).breaches())


def test_a_call_that_was_made_twice_cannot_be_judged() -> None:
    """The history itself is wrong."""
    assert "made twice" in Story().make(0, 0).run(0).breaches()[0]


def test_the_result_of_another_call() -> None:
    """The value is that of the call."""
    (breach,) = Story().make(0).start(0).ok(0, told="ann/7").breaches()
    assert "got the result of ann/7" in breach


def test_a_result_from_nowhere() -> None:
    """Who answers has started it."""
    (breach,) = Story().make(0).ok(0).breaches()
    assert "never started it" in breach


def test_a_call_that_overtakes_another_in_one_process() -> None:
    """Starts are in the order of making."""
    (breach,) = Story().make(0, 1).run(1).run(0).breaches()
    assert breach == "call 0 of ann to actor started after call 1, which had been made later"


def test_a_call_that_overtakes_one_that_is_retried() -> None:
    """The retried call is not in its old place: a later one had been answered by the process before."""
    story = Story().make(0, 1).start(0).run(1).born("two").run(0, "two")
    assert any("newer process than call 1" in breach for breach in story.breaches())


def test_calls_of_other_callers_may_come_in_any_order() -> None:
    """Order is between one caller and one actor."""
    story = Story().make(0).make(0, 1, caller="bob").run(0, caller="bob").run(0).run(1, caller="bob")
    assert story.breaches() == []


def test_an_actor_that_runs_several_calls_keeps_no_order() -> None:
    """Only serial actors promise it."""
    assert Story("retried").make(0, 1).run(1).run(0).breaches() == []


def test_what_an_older_process_starts_is_not_held_against_the_newer_one() -> None:
    """It does not know yet that it is the actor no longer, and nobody hears what it does."""
    story = Story().make(0, 1, 2).start(0).born("two").start(1).start(2)
    assert story.run(0, "two").run(1, "two").run(2, "two").breaches() == []


def test_a_call_without_retries_that_started_twice() -> None:
    """At most once."""
    story = Story("ordered once").make(0).start(0).born("two").run(0, "two")
    assert story.breaches() == ["call 0 of ann to actor has no retries and started 2 times"]


def test_a_call_that_started_again_after_its_outcome_was_seen() -> None:
    """What was committed is never run again."""
    story = Story().make(0).run(0).born("two").start(0, "two")
    assert "after its outcome had been seen" in story.breaches()[0]


def test_a_call_that_runs_again_after_the_server_was_put_back() -> None:
    """It may: what the server has forgotten cannot be held against it. Order and outcomes still can."""
    story = Story().make(0, 1).run(0).run(1).start(0).start(1)
    assert story.breaches(Rules(bound=10, forgets=True)) == []
    assert Story().make(0, 1).run(1).run(0).breaches(Rules(bound=10, forgets=True)) != []


def test_calls_that_somebody_deleted_may_come_behind_later_ones() -> None:
    """Whoever had made them posts them again; the other rules hold as ever."""
    story = Story().make(0, 1).run(1).run(0)
    assert story.breaches(Rules(bound=10, loses=True)) == []
    assert story.start(0).breaches(Rules(bound=10, loses=True)) != []


def test_an_answer_of_an_older_process_after_one_of_a_newer() -> None:
    """A call that is made after a new process has spoken is not answered by the old one."""
    story = Story("retried").make(0, caller="bob").born("two").run(0, "two", "bob").make(0).run(0)
    assert story.breaches() == [
        "call 0 of ann to actor was answered by an older process than one that had answered before it was made"
    ]


def test_an_answer_of_an_older_process_that_was_under_way() -> None:
    """Its caller may see it later than another one sees the newer process' answer."""
    story = Story("retried").make(0).make(0, caller="bob").start(0).born("two").run(0, "two", "bob").ok(0)
    assert story.breaches() == []


def test_a_wait_beyond_the_bound() -> None:
    """Nobody waits long when nothing happens."""
    (breach,) = Story().make(0).wait(11).run(0).breaches()
    assert breach.startswith("call 0 of ann to actor waited 11")


def test_a_wait_that_never_ends_is_one_beyond_the_bound() -> None:
    """A call that is lost is waited for, too."""
    story = Story().make(0, 1).wait(11).run(1)
    assert "call 0 of ann to actor has no outcome" in story.breaches()
    assert any(breach.startswith("call 0 of ann to actor waited") for breach in story.breaches())


def test_what_happened_before_a_call_does_not_explain_its_wait() -> None:
    """Only what strikes or heals meanwhile does."""
    assert len(Story().note(Kind.FAULT).note(Kind.HEALED).make(0).wait(11).run(0).breaches()) == 1


def test_a_failure_without_a_reason() -> None:
    """Calls that are retried do not fail, unless what was done explains that."""
    story = Story().make(0).fail(0, "ActorDiedError: gone")
    assert story.breaches() == ["call 0 of ann to actor failed without a reason: ActorDiedError: gone"]
    assert story.breaches(Rules(10, frozenset({"ActorDiedError"}))) == []


def test_a_call_without_retries_may_be_told_that_nobody_knows() -> None:
    """One with retries may not."""
    once = Story("ordered once").make(0).start(0).born("two").fail(0, "ActorUnavailableError: perhaps")
    assert once.breaches() == []
    retried = Story().make(0).start(0).born("two").fail(0, "ActorUnavailableError: perhaps")
    assert len(retried.breaches()) == 1


def test_an_actor_that_was_restarted_for_nothing() -> None:
    """Where nothing that was done kills an actor, none is restarted."""
    breaches = crashed().breaches(Rules(10, restarts=False))
    assert breaches == ["actor was restarted 1 times, which nothing called for"]


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Several writers, one order: that of time."""
    one, other = Pen(tmp_path, "one"), Pen(tmp_path, "other")
    one.write(Kind.INVOKE, caller="ann", actor="a", call=0, told="once")
    other.write(Kind.START, caller="ann", actor="a", call=0, incarnation="x")
    one.write(Kind.OK, caller="ann", actor="a", call=0, incarnation="x", told="ann/0")
    for pen in (one, other):
        pen.close()
    assert [event.kind for event in read(tmp_path)] == [Kind.INVOKE, Kind.START, Kind.OK]


def test_what_is_no_event_is_refused(tmp_path: Path) -> None:
    """A torn line is an error, not nothing."""
    (tmp_path / "torn.jsonl").write_text('{"at": 1, "kind"' + os.linesep)
    with pytest.raises(ValueError, match="Expecting"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["checker.py", "history.py"])
def test_the_checker_shares_no_code_with_what_it_judges(name: str) -> None:
    """It imports the standard library and the form of histories, and nothing of callboard."""
    tree = ast.parse((CHAOS / name).read_text())
    imported = {
        module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert {module for module in imported if module.startswith("callboard")} == set()
    assert {module for module in imported if module.startswith("chaos")} <= {"chaos.history"}
