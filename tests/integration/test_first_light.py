"""The shortest way through everything."""

from types import ModuleType


class Counter:
    def __init__(self, start: int = 0) -> None:
        self._value = start

    def add(self, amount: int = 1) -> int:
        self._value += amount
        return self._value


def test_an_actor_counts(ray: ModuleType) -> None:
    """Calls of one caller run in order, and their results come back."""
    counter = ray.remote(Counter).remote(5)
    assert ray.get([counter.add.remote(), counter.add.remote(2), counter.add.remote()]) == [6, 8, 9]


def test_nothing_is_left_of_an_actor(ray: ModuleType) -> None:
    """The fixture would complain."""
    assert ray.get(ray.remote(Counter).remote().add.remote()) == 1
