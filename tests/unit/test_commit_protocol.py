"""I1 to I5, I8: incarnations, commits and the ledger, tried in every order in which things may happen."""

from collections.abc import Iterator

import pytest
from tests.support.commit_protocol import Plan, Rules, State, answered, start
from tests.support.commit_steps import steps
from tests.support.exploring import explore

# The quick ones first.
PLANS = [
    Plan(retries=retries, **mishaps)
    for mishaps in (
        {"worker_breaks": 1},
        {"deaths": 1},
        {"stops": 1},
        {"breaks": 1},
        {"restarts": 1},
        {"deaths": 1, "breaks": 1},
    )
    for retries in (0, -1)
]
#: Steps that nobody can count on.
MISHAPS = ("breaks", "dies", "stops", "goes on", "copied", "restarts", "the copy")


def faults(plan: Plan, rules: Rules) -> Iterator[tuple[str, list[str]]]:
    """Find all states in which a guarantee does not hold, nearest first: which, and the way there."""

    def judge(state: State, moves: list[tuple[str, State]]) -> Iterator[str]:
        if state.wrong:
            yield state.wrong
        elif not answered(state) and all(what.endswith(MISHAPS) for what, _ in moves):
            yield "I8: somebody waits for ever"

    return explore(start(plan), lambda state: steps(state, rules, plan), judge)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_i1_to_i5_the_rules_hold_in_every_order(plan: Plan) -> None:
    """I1, I2, I3, I4, I5, I8: whatever breaks, dies, is stopped or forgotten when, no call is lost, doubled or late."""
    assert next(faults(plan, Rules()), None) is None


@pytest.mark.parametrize("rule", Rules._fields)
def test_i1_to_i5_no_rule_is_idle(rule: str) -> None:
    """Without any one of the rules something goes wrong."""
    broken = Rules()._replace(**{rule: False})
    assert any(next(faults(plan, broken), None) for plan in PLANS)
