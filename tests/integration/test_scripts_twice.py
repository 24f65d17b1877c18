"""I4: every script may be sent again after its reply was lost: done twice, it changes nothing the second time."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.script_world import LASTING, arguments_of, build, contents
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
        wire.pipeline([command for _, making in world for command in making])
        try:
            before = contents(wire)
            command = script.eval([key.encode() for key, _ in world], arguments)
            first = wire.pipeline([command])[0]
            after = contents(wire)
            changed += before != after
            refused += isinstance(first, ReplyError)
            wire.pipeline([command])
            assert contents(wire) == after
        finally:
            wire.call("EVAL", "for _, key in ipairs(redis.call('KEYS', 'test:*')) do redis.call('DEL', key) end", 0)

    twice()
    assert changed, "no world was one in which it does anything"
    assert refused < EXAMPLES
