"""Putting right what somebody has put in the place of callboard's keys."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker.wire import text

if TYPE_CHECKING:
    from callboard_supervisor.house import House

_log = logging.getLogger(__name__)


class Order:
    """Delete what has another type than callboard gives to such a key: that it is gone is provided for.

    Nobody looks for such things. One of them refuses whoever comes across it, and that is reason to look for all.

    Args:
        house: What the duties share.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    def sweep(self) -> None:
        """Look through the keys of all parties, if something was refused since the last time."""
        link = self._house.link
        if not link.misled:
            return
        link.misled = False
        keys = link.keys
        # These first, as they tell which others there are.
        self._look_through(keys.shared())
        self._look_through(
            {
                **{key: kind for actor in link.members(keys.actors) for key, kind in keys.of_actor(actor).items()},
                **{key: kind for client in link.members(keys.clients) for key, kind in keys.of_client(client).items()},
                **{key: kind for node in link.members(keys.nodes) for key, kind in keys.of_node(node).items()},
            }
        )

    def _look_through(self, right: dict[bytes, str]) -> None:
        link = self._house.link
        found = map(text, link.pipeline([("TYPE", key) for key in right]))
        for (key, kind), actual in zip(right.items(), found, strict=True):
            if actual not in {"none", kind}:
                _log.error("%s is a %s and should be a %s: it is deleted", text(key), actual, kind)
                link.call("DEL", key)
