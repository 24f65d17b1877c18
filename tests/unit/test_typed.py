"""What exists for type checkers is there at run time, too, and says the same."""

import inspect
import pickle
from typing import Any

import pytest

import callboard
from callboard import _handle
from callboard._keywords import ActorKeywords, MethodKeywords
from callboard._options import ActorOptions, MethodOptions

loose: Any = callboard


class Marked:
    @callboard.method
    def plain(self, number: int) -> int:
        return number

    @callboard.method(num_returns=2)
    async def pair(self) -> tuple[int, int]:
        return 1, 2


def test_a10_checkers_know_the_options_that_there_are() -> None:
    """A10: an option that is accepted can be written, and no other; ``num_returns`` is told by overloads."""
    assert set(ActorKeywords.__annotations__) == {*ActorOptions._checks, *ActorOptions._ignored}
    assert {*MethodKeywords.__annotations__, "num_returns"} == {*MethodOptions._checks, *MethodOptions._ignored}


def test_a10_public_types_can_be_written_with_parameters() -> None:
    """A10: in annotations that are looked at while the program runs, also those that are aliases to checkers."""
    assert callboard.ActorHandle is loose.ActorHandle is _handle.ActorHandle
    for generic in (loose.ActorHandle, loose.ActorClass, loose.ObjectRef):
        assert generic[int].__origin__ is generic


def test_a10_a_marked_method_is_the_function_that_it_was() -> None:
    """A10: a mark changes nothing but what checkers see, and the options that it sets."""
    functions = vars(Marked)
    assert all(inspect.isfunction(functions[name]) for name in ("plain", "pair"))
    assert Marked().plain(3) == 3
    methods = callboard.remote(Marked).definition().info.methods
    assert (methods["plain"].options, methods["pair"].options) == ({}, {"num_returns": 2})


@pytest.mark.parametrize("wrong", [(), (5,), (len, len)], ids=str)
def test_a2_what_method_cannot_mark(wrong: tuple[Any, ...]) -> None:
    """Neither nothing, nor what is no function, nor several."""
    with pytest.raises(TypeError, match=r"@method or @method\(max_task_retries=3\)"):
        loose.method(*wrong)


def test_a2_options_make_another_class_of_the_same_definition() -> None:
    """The definition is pickled once, however many sets of options there are; the class itself keeps its options."""
    actor_class = callboard.remote(Marked)
    configured = actor_class.options(max_restarts=3).options(num_cpus=2)
    assert configured.definition() is actor_class.definition()
    assert (configured._options.max_restarts, configured._options.num_cpus) == (3, 2)
    assert actor_class._options.max_restarts == 0
    copy = pickle.loads(pickle.dumps(configured))
    assert copy._options == configured._options
    assert copy.definition().sha == configured.definition().sha
