"""The chaos of the demo: SIGKILL for indexers, without a warning, while they work."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import callboard
from callboard.util import state
from callboard_broker.host import host_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard import ActorHandle


@dataclass(frozen=True, slots=True)
class Strike:
    """A kill.

    Attributes:
        pid: Process that it hit.
        words: What that was doing.
        done: How far the work was.
    """

    pid: int
    words: str
    done: int


class Chaos:
    """Kill one indexer each time that a further share of the work is done.

    By progress and not by time, so that fast and slow machines see the same number of kills.

    Args:
        pool: Whom it may hit.
        files: How much work there is.
        kills: How many kills to spread over it.
    """

    def __init__(self, pool: Sequence[ActorHandle], files: int, kills: int) -> None:
        self._pool = {str(indexer._actor_id): indexer for indexer in pool}  # noqa: SLF001 - the name is Ray's own
        here = host_id()
        places = callboard.get([indexer.where.remote() for indexer in pool])
        self._within_reach = all(host == here for host, _ in places)
        self._marks = [files * (number + 1) // (kills + 2) for number in range(kills)][::-1]
        self._random = random.Random()  # noqa: S311 - nobody gains by guessing who is next
        self._killed: set[int] = set()
        self.strikes: list[Strike] = []

    def strike_if_due(self, done: int) -> Strike | None:
        """Kill somebody if enough was done since the last time and anybody is up."""
        if not self._marks or done < self._marks[-1]:
            return None
        # One that died a moment ago may still be listed as alive.
        targets = [actor for actor in self._look() if actor.state == "ALIVE" and actor.pid not in self._killed]
        if not targets:
            return None
        self._marks.pop()
        target = self._random.choice(targets)
        if not self._kill(target.actor_id, target.pid):
            return None
        self._killed.add(target.pid)
        words = f"in the middle of {target.current_call}()" if target.current_call else "between two calls"
        self.strikes.append(Strike(target.pid, words, done))
        return self.strikes[-1]

    def restarts(self) -> int:
        """Return how often indexers have been restarted, as the callboard counts it."""
        return sum(actor.num_restarts or 0 for actor in self._look())

    def _look(self) -> list[state.ActorState]:
        found = [state.get_actor(actor) for actor in self._pool]
        return [actor for actor in found if actor is not None]

    def _kill(self, actor: str, pid: int) -> bool:
        if not self._within_reach:
            # Workers on other hosts, or in other containers: their supervisor sends the signal.
            callboard.kill(self._pool[actor], no_restart=False)
            return True
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
