"""I4: every script may be sent again after its reply was lost: done twice, it changes nothing the second time."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.script_scene import CLEAR, DUMP
from tests.support.script_world import LASTING, arguments_of, build, command_of
from tests.support.stage import Stage

from callboard_broker import scripts
from callboard_broker.wire import ReplyError

EXAMPLES = 100


@pytest.mark.parametrize("name", sorted(set(scripts.names()) - set(LASTING)))
def test_i4_a_script_done_twice_is_done_once(on_stage: Stage, name: str) -> None:
    """Whatever is there, and whatever it is told."""
    script, wire = scripts.script(name), on_stage.wire
    changed = refused = 0

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(chance=st.randoms(use_true_random=True))
    def twice(chance: Random) -> None:
        nonlocal changed, refused
        world, arguments = build(script, chance), arguments_of(script, chance)
        command = command_of(script, world, arguments)
        made = [making for key in world for making in key.making]
        *_, before, first, after, _, again, _ = wire.pipeline([*made, DUMP, command, DUMP, command, DUMP, CLEAR])
        changed += before != after
        refused += isinstance(first, ReplyError)
        assert again == after

    twice()
    assert changed, "no world was one in which it does anything"
    assert refused < EXAMPLES
