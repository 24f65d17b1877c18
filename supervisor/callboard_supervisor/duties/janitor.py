"""Sweeping up what was left half-done by somebody who died, and what has become old."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from callboard_broker.records import State
from callboard_broker.wire import entries, fields, integer, items, text
from callboard_supervisor.duties.usher import Usher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_supervisor.caretaker import Caretaker
    from callboard_supervisor.duties.asked import Asked
    from callboard_supervisor.house import House
    from callboard_supervisor.link import Sketch

_log = logging.getLogger(__name__)

#: Dead actors that stay listed, and for how many seconds.
DEAD_KEPT: Final = 1_000
DEAD_AGE: Final = 24 * 3600


class Janitor:
    """Sweep.

    Args:
        house: What the duties share.
        caretaker: Sees to actors.
        asked: Does what was asked for and not done.
    """

    def __init__(self, house: House, caretaker: Caretaker, asked: Asked) -> None:
        self._house = house
        self._caretaker = caretaker
        self._asked = asked
        self._usher = Usher(house)

    def sweep(self) -> None:
        """Do what was asked for long ago, place what nobody placed, turn calls away, and forget the long dead."""
        now_ms = self._server_time_ms()
        self._do_what_is_old(now_ms)
        sketches = self._house.link.sketches()
        self._place_the_forgotten(now_ms, sketches)
        self._usher.sweep(sketches)
        self._forget_the_dead(now_ms)

    def _server_time_ms(self) -> int:
        seconds, micros = items(self._house.link.call("TIME"))
        return int(text(seconds)) * 1000 + int(text(micros)) // 1000

    def _do_what_is_old(self, now_ms: int) -> None:
        house = self._house
        before = now_ms - int(house.config.timing.heartbeat_timeout * 1000)
        for stream in (house.keys.requests, house.keys.outbox):
            for entry, flat in entries(house.link.call("XRANGE", stream, "-", str(before), "COUNT", 100)):
                try:
                    self._asked.do(stream, entry, {name: value.decode() for name, value in fields(flat or ()).items()})
                except (KeyError, UnicodeDecodeError):
                    _log.warning("%s of %s says nothing that can be done", text(entry), text(stream))
                    house.link.call("XDEL", stream, entry)

    def _place_the_forgotten(self, now_ms: int, sketches: Sequence[Sketch]) -> None:
        house = self._house
        before = (now_ms / 1000) - house.config.timing.heartbeat_timeout
        starting = self._caretaker.starting
        starting.keep_waiting({sketch.actor for sketch in sketches if not sketch.node})
        for sketch in sketches:
            homeless = not sketch.node and sketch.state in {State.PENDING_CREATION, State.RESTARTING}
            if homeless and sketch.created_at < before and sketch.actor not in starting.waiting:
                starting.place(sketch.actor)

    def _forget_the_dead(self, now_ms: int) -> None:
        house = self._house
        dead = house.keys.dead
        old = items(house.link.call("ZRANGEBYSCORE", dead, "-inf", now_ms // 1000 - DEAD_AGE, "LIMIT", 0, 500))
        surplus = integer(house.link.call("ZCARD", dead)) - DEAD_KEPT
        if surplus > 0:
            old = [*old, *items(house.link.call("ZRANGE", dead, 0, min(surplus, 500) - 1))]
        for actor in {text(name) for name in old}:
            house.link.pipeline([("ZREM", dead, actor), ("DEL", house.keys.actor(actor))])
