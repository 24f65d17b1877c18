"""Filters and schemas of the state API."""

from typing import Any

import pytest

from callboard.util import state
from callboard.util._filters import Filters
from callboard.util._schemas import ActorState, NodeState


def actor(**fields: Any) -> ActorState:
    """Describe an actor."""
    usual: dict[str, Any] = {
        "actor_id": "ab", "class_name": "Counter", "state": "ALIVE", "job_id": "1", "name": "", "node_id": None,
        "pid": 7, "ray_namespace": "tests",
    }  # fmt: skip
    return ActorState(**{**usual, **fields})


@pytest.mark.parametrize(
    ("one", "matches"),
    [
        (("state", "=", "alive"), True),
        (("state", "!=", "Dead"), True),
        (("class_name", "=", "counter"), False),
        (("pid", "=", "7"), True),
        (("pid", "!=", 7), False),
        (("name", "=", ""), True),
        (("node_id", "=", None), True),
        (("node_id", "!=", "x"), True),
        (("is_detached", "=", "true"), True),
        (("is_detached", "=", False), False),
        (["num_restarts", "=", 2], True),
    ],
)
def test_l1_filters_compare_as_what_the_column_holds(one: Any, *, matches: bool) -> None:
    """States are compared without regard to case, numbers and truths also as text, None as empty."""
    chosen = Filters(ActorState, [one])
    assert chosen.match(actor(is_detached=True, num_restarts=2)) is matches


def test_l1_all_filters_must_match() -> None:
    """Filters are joined by and; no filter matches everything."""
    assert Filters(ActorState, None).match(actor())
    assert not Filters(ActorState, [("pid", "=", 7), ("name", "=", "x")]).match(actor())


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (("colour", "=", "red"), r"no column 'colour'.*actor_id, class_name, state"),
        (("death_cause", "=", "x"), r"no column 'death_cause'"),
        (("state", ">", "ALIVE"), r"'=' or '!=', not '>'"),
        (("state", "ALIVE"), r"a tuple of column.*not \('state', 'ALIVE'\)"),
        ("state=ALIVE", r"a tuple of column.*not 'state=ALIVE'"),
        (("pid", "=", "seven"), r"pid is a number.*'seven'"),
        (("is_detached", "=", "perhaps"), r"is_detached is true or false.*'perhaps'"),
    ],
)
def test_l1_bad_filters_are_value_errors_that_name_what_is_valid(one: Any, says: str) -> None:
    """The text has the value and what may stand there."""
    with pytest.raises(ValueError, match=says):
        Filters(ActorState, [one])


@pytest.mark.parametrize("limit", [0, -1, 10_001, 2.5, True, "10"])
def test_l1_a_bad_limit_is_a_value_error(limit: Any) -> None:
    """Limits are checked before anybody is asked."""
    for function in (state.list_actors, state.list_nodes, state.list_clients, state.list_names):
        with pytest.raises(ValueError, match="limit is between 1 and 10000, not"):
            function(limit=limit)


def test_l1_a_bad_actor_id_is_a_value_error() -> None:
    """What cannot be an id is told apart from an id that nobody has."""
    for bad in ("", "xyz", "AB" * 16, "ab" * 17):
        with pytest.raises(ValueError, match="no actor id: one has 32 hexadecimal"):
            state.get_actor(bad)


def test_l1_states_are_dataclasses_that_read_like_dictionaries() -> None:
    """Columns by key, by get and as a dictionary; unknown ones are named."""
    shown = actor(name="x")
    assert shown["name"] == shown.get("name") == shown.asdict()["name"] == shown.name == "x"
    assert shown.get("colour", "none") == "none"
    with pytest.raises(KeyError, match="ActorState has no 'colour'; it has actor_id"):
        shown["colour"]
    assert ActorState.columns(detail=False)[-1] == "ray_namespace"
    assert "heartbeat" not in NodeState.columns(detail=False)
