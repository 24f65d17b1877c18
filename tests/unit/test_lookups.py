"""Lookups: holds are kept for a moment, and for no longer."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from callboard import _lookups
from callboard._definition import ClassInfo
from callboard._lookups import Found, Lookups
from callboard._terms import Terms


class Clock:
    """A housekeeper, and the clock that it goes by."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def note(self, task: Callable[[], None]) -> None:
        task()

    def later(self, seconds: float, task: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, task))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        ripe = [task for due, task in self.due if due <= self.now]
        self.due = [(due, task) for due, task in self.due if due > self.now]
        for task in ripe:
            task()


def found(actor: str) -> Found:
    """Make what is found of an actor."""
    held: Any = SimpleNamespace(actor=actor)
    return Found(held, ClassInfo("Counter", "sha", {}), Terms(), [actor.encode()])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the time be what the test says."""
    clock = Clock()
    monkeypatch.setattr(_lookups, "time", clock)
    return clock


@pytest.fixture
def lookups(clock: Clock) -> Lookups:
    """Make the lookups of a client."""
    housekeeper: Any = clock
    return Lookups(housekeeper)


def test_what_was_found_is_known_for_a_moment(lookups: Lookups, clock: Clock) -> None:
    """Then it is forgotten, and nothing is due any more."""
    one = found("one")
    assert lookups.last(b"name") is None
    lookups.keep(b"name", one)
    assert lookups.last(b"name") is one
    clock.advance(0.03)
    assert lookups.last(b"name") is None
    assert not clock.due


def test_looking_up_again_prolongs_it(lookups: Lookups, clock: Clock) -> None:
    """By one duty at a time, however often that happens; the latest bearer counts."""
    for number in range(50):
        bearer = found(str(number))
        lookups.keep(b"name", bearer)
        assert lookups.last(b"name") is bearer
        assert len(clock.due) == 1
        clock.advance(0.015)
    clock.advance(0.03)
    clock.advance(0.03)
    assert lookups.last(b"name") is None
    assert not clock.due
