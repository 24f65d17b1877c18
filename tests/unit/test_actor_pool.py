"""A8: pools of actors, with calls whose outcomes the test decides about: no broker, no process."""

from collections.abc import Callable
from typing import Any

import pytest

from callboard import _serde
from callboard._ref import ObjectRef
from callboard._result import STATUS_LOCAL, Result
from callboard.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError
from callboard.util import ActorPool
from callboard_broker.deaths import STATUS_OK


class Script:
    """Stands for the client and the broker: while somebody waits, what is to happen happens, one thing at a time.

    Args:
        events: What is to happen, in order.
    """

    def __init__(self, *events: Callable[[], None]) -> None:
        self.events = list(events)
        self.objects, self.deadlocks = self, None

    def require_open(self, _ref: object) -> None:
        """Be open."""

    def want(self, _ref: object) -> None:
        """Owe nothing: all references are the test's own."""

    def wait(self, enough: Callable[[], bool], timeout: object) -> bool:
        """Let things happen; when nothing more does, time is up."""
        while not enough():
            if not self.events:
                assert timeout is not None, "this would wait for ever"
                return False
            self.events.pop(0)()
        return True


class Stand:
    """Stands for an actor: notes its calls, whose outcomes come when the test says so."""

    def __init__(self, script: Script, name: str) -> None:
        self.script = script
        self.name = name
        self.calls: list[Any] = []
        self.results: list[Result] = []

    def call(self, value: object, *, returns: int = 1) -> Any:
        """Return what a method's ``.remote(value)`` would."""
        self.calls.append(value)
        self.results.append(Result())
        client: Any = self.script
        name = f"{self.name}/{len(self.calls)}"
        if returns == 1:
            return ObjectRef(client, name, self.results[-1])
        self.results[-1].returns = returns
        return [ObjectRef(client, name, self.results[-1], index) for index in range(returns)]

    def give(self, value: object) -> None:
        """Have the oldest open call return something."""
        self._open().resolve(STATUS_OK, _serde.pack(value).body)

    def fail(self, error: Exception) -> None:
        """Have the oldest open call raise something."""
        self._open().resolve(STATUS_LOCAL, _serde.pack(error).body)

    def _open(self) -> Result:
        return next(result for result in self.results if not result.done)


Pool = ActorPool[Any]


def call(actor: Any, value: object) -> Any:
    """Make a call: the function of most pools here."""
    return actor.call(value)


def company(size: int = 2) -> tuple[Script, Pool, list[Any]]:
    """Make a script, a pool, and its actors; the pool takes the last one first."""
    script = Script()
    actors: list[Any] = [Stand(script, f"actor {number}") for number in range(size)]
    return script, ActorPool(actors), actors


def test_a8_values_go_to_idle_actors_and_wait_for_one() -> None:
    """A8: one value at a time to each actor; the next one starts when a result is taken."""
    _, pool, (first, second) = company()
    for number in range(4):
        pool.submit(call, number)
    assert (first.calls, second.calls) == ([1], [0])
    second.give("zero")
    assert pool.get_next() == "zero"
    assert (first.calls, second.calls) == ([1], [0, 2])


def test_a8_map_keeps_the_order_of_the_values() -> None:
    """A8: whatever comes first."""
    script, pool, (first, second) = company()
    results = pool.map(call, ["a", "b", "c"])
    assert (first.calls, second.calls) == (["b"], ["a"]), "values are submitted before results are asked for"
    script.events = [lambda: first.give("B"), lambda: second.give("A"), lambda: second.give("C")]
    assert list(results) == ["A", "B", "C"]
    assert pool.has_free()


def test_a8_map_unordered_returns_what_comes_first() -> None:
    """A8: and the values that wait start as results come."""
    script, pool, (first, second) = company()
    script.events = [lambda: first.give("B"), lambda: first.give("C"), lambda: second.give("A")]
    assert list(pool.map_unordered(call, ["a", "b", "c"])) == ["B", "C", "A"]
    assert (first.calls, second.calls) == (["b", "c"], ["a"])


def test_a8_map_forgets_what_was_submitted_before() -> None:
    """A8: its results do not turn up, and values that waited are not worked at."""
    _, pool, (first, second) = company()
    for number in range(5):
        pool.submit(call, number)
    results = pool.map(call, ["a", "b"])
    assert sorted(first.calls + second.calls, key=str) == [0, 1, "a", "b"]
    for actor in (first, second):
        actor.give("old")
        actor.give(f"new from {actor.name}")
    assert sorted(results) == ["new from actor 0", "new from actor 1"]
    assert not pool.has_next()


@pytest.mark.parametrize("way", [Pool.get_next, Pool.get_next_unordered])
def test_a8_nothing_to_come(way: Callable[[Pool], Any]) -> None:
    """A8: asking for a result that will never be is an error."""
    _, pool, (first,) = company(1)
    with pytest.raises(StopIteration, match="No more results to get"):
        way(pool)
    pool.submit(call, 1)
    first.give("one")
    assert pool.has_next()
    assert way(pool) == "one"
    assert not pool.has_next()
    with pytest.raises(StopIteration, match="No more results to get"):
        way(pool)


def test_a8_order_cannot_be_had_after_a_later_result() -> None:
    """A8: what `get_next` would have to return first is gone, or was overtaken; unordered it can still be had."""
    _, pool, (first, second) = company()
    pool.submit(call, "a")
    pool.submit(call, "b")
    first.give("B")
    assert pool.get_next_unordered() == "B"
    with pytest.raises(ValueError, match=r"get_next\(\) after get_next_unordered\(\)"):
        pool.get_next()
    pool.submit(call, "c")
    first.give("C")
    assert pool.get_next() == "C"
    second.give("A")
    assert pool.get_next_unordered() == "A"


@pytest.mark.parametrize("way", [Pool.get_next, Pool.get_next_unordered])
def test_a8_time_is_up(way: Callable[..., Any]) -> None:
    """A8: the result can still be had later, unless it is to be ignored; then the actor counts as idle."""
    _, pool, (first,) = company(1)
    pool.submit(call, "a")
    pool.submit(call, "b")
    with pytest.raises(TimeoutError, match=r"^Timed out waiting for result$"):
        way(pool, timeout=0)
    assert first.calls == ["a"]
    with pytest.raises(TimeoutError, match=r"The task ObjectRef\(actor 0/1\) has been ignored"):
        way(pool, 0, True)
    assert first.calls == ["a", "b"]
    first.give("A")
    first.give("B")
    assert way(pool, timeout=0) == "B"


@pytest.mark.parametrize("way", [Pool.get_next, Pool.get_next_unordered])
@pytest.mark.parametrize(
    "error", [ValueError("bad"), ActorUnavailableError("restarting")], ids=lambda e: type(e).__name__
)
def test_a8_errors_come_as_results_do(way: Callable[..., Any], error: Exception) -> None:
    """A8: the call's error is raised, and its actor takes the next value."""
    _, pool, (first,) = company(1)
    pool.submit(call, "a")
    pool.submit(call, "b")
    first.fail(error)
    with pytest.raises(type(error), match=str(error)):
        way(pool)
    assert first.calls == ["a", "b"]
    first.give("B")
    assert way(pool) == "B"


def test_a8_a_dead_actor_leaves_the_pool() -> None:
    """A8: the others go on; a new one is pushed in its place."""
    script, pool, (first, second) = company()
    for value in "abc":
        pool.submit(call, value)
    second.fail(ActorDiedError())
    with pytest.raises(ActorDiedError):
        pool.get_next()
    assert pool.pop_idle() is None
    script.events = [lambda: first.give("B"), lambda: first.give("C")]
    assert (pool.get_next(), pool.get_next()) == ("B", "C")
    assert (first.calls, second.calls) == (["b", "c"], ["a"])
    pool.push(second)
    pool.submit(call, "d")
    assert second.calls == ["a", "d"]


def test_a8_an_actor_whose_call_met_a_dead_one_stays() -> None:
    """A8: its method raised `ActorDiedError` for an actor that it had called itself."""
    _, pool, (first,) = company(1)
    pool.submit(call, "a")
    first.fail(RayTaskError("call", "the text", ActorDiedError("a child")).as_instanceof_cause())
    with pytest.raises(ActorDiedError, match="the text"):
        pool.get_next()
    assert pool.has_free()


def test_a8_no_actor_is_left_for_values_that_wait() -> None:
    """A8: that is an error rather than an end of the results, and `push` is its cure."""
    _, pool, (first,) = company(1)
    results = pool.map(call, ["a", "b"])
    first.fail(ActorDiedError())
    with pytest.raises(ActorDiedError):
        next(results)
    assert not pool.has_next()
    with pytest.raises(RuntimeError, match=r"1 values wait .* push\(\) one"):
        pool.get_next()
    other = Stand(first.script, "other")
    pool.push(other)  # type: ignore[arg-type]  # it stands for a handle
    other.give("B")
    assert pool.get_next() == "B"
    with pytest.raises(RuntimeError, match="2 values wait"):
        list(ActorPool([]).map(call, ["a", "b"]))


def test_a8_actors_come_and_go() -> None:
    """A8: an idle one can be taken out, and one be put in that is not in the pool."""
    _, pool, (first, second) = company()
    assert pool.has_free()
    taken: list[object] = [pool.pop_idle()]
    pool.submit(call, "a")
    assert not pool.has_free()
    taken.append(pool.pop_idle())
    pool.push(second)
    for actor in (first, second):
        with pytest.raises(ValueError, match="Actor already belongs to current ActorPool"):
            pool.push(actor)
    taken.append(pool.pop_idle())
    assert taken == [second, None, second]


def test_a8_several_references_are_one_result() -> None:
    """A8: those of a call that returns several values, or of several calls."""
    script, pool, (first,) = company(1)

    def both(actor: Any, value: object) -> Any:
        return actor.call(value, returns=2)

    for value in "ab":
        pool.submit(both, value)
    with pytest.raises(TimeoutError):
        pool.get_next(timeout=0)
    script.events = [lambda: first.give(("A", 1)), lambda: first.give(("B", 2))]
    assert pool.get_next(timeout=1) == ["A", 1]
    assert pool.get_next_unordered() == ["B", 2]


@pytest.mark.parametrize("wrong", [None, 5, []], ids=str)
def test_a8_a_function_must_make_a_call(wrong: object) -> None:
    """A8: what it returns instead is named, and its actor stays idle; so it is when the function raises."""
    _, pool, _ = company(1)

    def broken(_actor: object, _value: object) -> Any:
        raise LookupError("broken")

    with pytest.raises(TypeError, match=r"return actor\.method\.remote"):
        pool.submit(lambda _actor, _value: wrong, 1)  # type: ignore[arg-type,return-value]
    with pytest.raises(LookupError, match="broken"):
        pool.submit(broken, 1)
    assert pool.has_free()
    assert not pool.has_next()
