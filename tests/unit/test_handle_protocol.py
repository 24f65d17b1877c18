"""I6, I7: the rules of counting handles, tried in every order in which things may happen (see `handle_protocol`)."""

from collections.abc import Iterator

import pytest
from tests.support.exploring import explore
from tests.support.handle_protocol import Plan, Rules, State, alive, clean, start
from tests.support.handle_steps import steps

#: Steps without which nothing stays undone: what must not be left must be gone without them.
MISHAPS = ("dies", "sends again")

PLANS = [
    Plan("call"),
    Plan("call", breaks=1, deaths="x"),
    Plan("call", breaks=1, deaths="y"),
    Plan("result"),
    Plan("result", breaks=1, deaths="x"),
    Plan("result", breaks=1, deaths="y"),
    Plan("object", deaths="x"),
    Plan("object", deaths="y"),
    Plan("object", breaks=1, deaths=""),
    Plan("value"),
    Plan("value", breaks=1, deaths=""),
]


def faults(plan: Plan, rules: Rules) -> Iterator[tuple[str, list[str]]]:
    """Find all states in which a guarantee does not hold, nearest first: which, and the way there."""

    def judge(state: State, moves: list[tuple[str, State]]) -> Iterator[str]:
        if state.sealed and alive(state, plan):
            yield "I7"
        if not clean(state) and all(what.endswith(MISHAPS) for what, _ in moves):
            yield "I6"

    return explore(start(plan), lambda state: steps(state, plan, rules), judge)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_i6_i7_the_rules_hold_in_every_order(plan: Plan) -> None:
    """I6, I7: whoever dies when, and whatever is sent or done again, none of the states is a wrong one."""
    assert next(faults(plan, Rules()), None) is None


@pytest.mark.parametrize(
    ("rule", "plan", "guarantee"),
    [
        ("hold_before_commit", Plan("call"), "I7"),
        ("releases_are_named", Plan("call"), "I7"),
        ("holds_are_numbered", Plan("result", breaks=1, deaths=""), "I7"),
        ("dead_hold_nothing", Plan("call"), "I6"),
        ("dead_send_nothing", Plan("call"), "I7"),
        ("dead_return_nothing", Plan("result"), "I7"),
        ("arrivals_are_looked_for", Plan("call"), "I7"),
        ("strays_are_released", Plan("call"), "I6"),
        ("commit_gives", Plan("result"), "I6"),
        ("commit_takes", Plan("result"), "I6"),
        ("entry_hands_over", Plan("call"), "I6"),
        ("outbox_releases_first", Plan("call"), "I6"),
        ("burial_releases_first", Plan("object", deaths="x"), "I6"),
        ("fetched_is_held", Plan("value"), "I7"),
    ],
)
def test_i6_i7_each_rule_is_needed(rule: str, plan: Plan, guarantee: str) -> None:
    """I6, I7: without any one of them there is a way to a wrong state, so the model can tell."""
    assert next(faults(plan, Rules()._replace(**{rule: False})))[0] == guarantee


def test_each_rule_is_tried() -> None:
    """No rule is in the model that has not been left out once."""
    (tried,) = [
        mark.args[1]
        for mark in test_i6_i7_each_rule_is_needed.pytestmark  # type: ignore[attr-defined]
    ]
    assert [rule for rule, _, _ in tried] == list(Rules._fields)
