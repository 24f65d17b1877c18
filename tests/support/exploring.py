"""Going through all states of a model, breadth first."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

__all__ = ["explore"]

State = TypeVar("State", bound=Hashable)


def explore(
    first: State,
    steps: Callable[[State], Iterable[tuple[str, State]]],
    judge: Callable[[State, list[tuple[str, State]]], Iterable[str]],
) -> Iterator[tuple[str, list[str]]]:
    """Find what is wrong in any state that can be reached, nearest first: what, and the steps that lead there.

    Args:
        first: Where to begin.
        steps: Yields what can happen next.
        judge: Yields what is wrong in a state; told the steps that change it.
    """
    before: dict[State, tuple[State, str] | None] = {first: None}
    ahead = deque([first])
    while ahead:
        state = ahead.popleft()
        moves = [(what, after) for what, after in steps(state) if after != state]
        for wrong in judge(state, moves):
            yield wrong, _way(before, state)
        for what, after in moves:
            if after not in before:
                before[after] = state, what
                ahead.append(after)


def _way(before: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    """Return the steps from the first state to one."""
    found = []
    while (step := before[state]) is not None:
        state, what = step
        found.append(what)
    return found[::-1]
