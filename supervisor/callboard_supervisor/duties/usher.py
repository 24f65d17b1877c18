"""Turning calls away from actors that restart, however long their constructors take."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker.errors import BrokerError
from callboard_broker.records import State
from callboard_supervisor.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.records import ActorRecord
    from callboard_supervisor.house import House
    from callboard_supervisor.link import Sketch

_log = logging.getLogger(__name__)


class Usher:
    """Answer calls without retries that were submitted while their actor restarts: nobody knows for how long it will.

    Args:
        house: What the duties share.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._settling = Settling(house.link)
        #: By actor: the incarnation that is being started, and the last entry that was looked at.
        self._seen: dict[str, tuple[str, str]] = {}

    def sweep(self, sketches: Sequence[Sketch]) -> None:
        """Look at the calls of this node's actors, and of those that no node has."""
        own = {"", self._house.node}
        restarting = [sketch.actor for sketch in sketches if sketch.state == State.RESTARTING and sketch.node in own]
        self._seen = {actor: self._seen[actor] for actor in restarting if actor in self._seen}
        for actor in restarting:
            record = self._house.link.actor(actor)
            if record is not None and record.state == State.RESTARTING:
                self._turn_away(record)

    def _turn_away(self, record: ActorRecord) -> None:
        token, last = self._seen.get(record.actor_id, ("", ""))
        after = last if token == record.token else record.last_id
        try:
            last = self._settling.turn_away(record, after)
        except BrokerError as error:
            _log.warning("calls of actor %s are looked at again: %s", record.actor_id, error)
            return
        self._seen[record.actor_id] = (record.token, last)
        if last != after:
            # In batches, seeing to others in between.
            self._house.reactor.after(0, lambda: self._turn_away(record))
