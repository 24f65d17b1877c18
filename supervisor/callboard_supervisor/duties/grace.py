"""Enforcing the graceful timeout: an end that takes too long is made short."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard_supervisor.house import House
    from callboard_supervisor.pools import Pools
    from callboard_supervisor.residents import Resident

_log = logging.getLogger(__name__)


class Grace:
    """Kill residents and workers whose end takes longer than it may.

    Args:
        house: What the duties share.
        pools: Has the workers for tasks.
    """

    def __init__(self, house: House, pools: Pools) -> None:
        self._house = house
        self._pools = pools

    def sweep(self) -> None:
        """Look at every resident's page."""
        now = time.monotonic()
        self._pools.enforce(now)
        for resident in list(self._house.residents.by_actor.values()):
            since = self._ending_since(resident)
            if since and now - since > resident.graceful_timeout and not resident.timed_out:
                assert resident.process is not None
                _log.warning(
                    "actor %s is killed: its end took longer than %g s", resident.actor, resident.graceful_timeout
                )
                resident.timed_out = True
                resident.process.kill_group()

    def _ending_since(self, resident: Resident) -> float:
        if resident.process is None:
            return 0.0
        page = resident.look_at_page()
        # The page has the same clock in nanoseconds, as it is written on this host.
        began = page.ending_since / 1e9 if page else 0.0
        return began or resident.told_to_end
