"""Each script does and answers what its model says, on a real server."""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from random import Random
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.script_models import MODELS
from tests.support.script_models.things import Answer, RefusedError
from tests.support.script_scene import CLEAR, LOOK, inputs, read, shown, told
from tests.support.script_world import arguments_of, build, command_of
from tests.support.stage import Stage

from callboard_broker import scripts
from callboard_broker.wire import ReplyError

EXAMPLES = 200


class Lines:
    """The lines of a model that have not run yet."""

    def __init__(self, model: Callable[..., Answer]) -> None:
        self._model = model
        self._code = model.__code__
        self.left = {line for _, _, line in self._code.co_lines() if line and line > self._code.co_firstlineno}

    def answer(self, things: Mapping[str, object]) -> Answer:
        """Let the model answer, note which of its lines run, and return an error as `told` does."""
        before = sys.gettrace()
        sys.settrace(self._entered)
        try:
            return self._model(**things)
        except RefusedError as refused:
            return f"-{refused}"
        finally:
            sys.settrace(before)

    def _entered(self, frame: FrameType, *_: object) -> Any:
        return self._ran if frame.f_code is self._code else None

    def _ran(self, frame: FrameType, *_: object) -> Any:
        self.left.discard(frame.f_lineno)
        return self._ran


def test_each_script_has_its_model() -> None:
    """No script without a model, no model without a script."""
    assert sorted(MODELS) == scripts.names()


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_does_what_its_model_says(on_stage: Stage, name: str) -> None:
    """Whatever is there, and whatever it is told; every error, and every line of the model, has its turn."""
    script, model, wire = scripts.script(name), Lines(MODELS[name]), on_stage.wire
    taken = inspect.signature(MODELS[name]).parameters
    changed, errors = 0, set()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(chance=st.randoms(use_true_random=True))
    def agree(chance: Random) -> None:
        nonlocal changed
        world, arguments = build(script, chance), arguments_of(script, chance)
        command = command_of(script, world, arguments)
        made = [making for key in world for making in key.making]
        *making, looked, reply, looked_again, _ = wire.pipeline([*made, LOOK, command, LOOK, CLEAR])
        assert not [answer for answer in making if isinstance(answer, ReplyError)]
        expected = read(world, looked)
        things = inputs(script, world, arguments, expected)
        answer = model.answer({name: things[name.removesuffix("_")] for name in taken})
        assert told(reply, looked_again, like=answer) == answer, arguments
        assert shown(read(world, looked_again)) == shown(expected), arguments
        changed += looked != looked_again
        if isinstance(reply, ReplyError):
            errors.add(str(reply))

    agree()
    assert changed, "no world was one in which it does anything"
    assert not model.left, "no world had these lines of the model run"
    for error in re.findall(r"error_reply\('([^']*)'", script.text):
        assert any(text.startswith(error) for text in errors), f"it was never refused with {error!r}"
