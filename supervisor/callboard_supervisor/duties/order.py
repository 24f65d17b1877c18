"""Putting right what somebody has put in the place of callboard's keys."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker.operations import clients
from callboard_broker.wire import items, text

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
        # This first, as it tells which others there are.
        self._mend(keys.shared())
        for types, names in (
            (keys.of_actor, keys.actors), (keys.of_client, keys.clients), (keys.of_node, keys.nodes)
        ):  # fmt: skip
            for name in link.members(names):
                self._mend(types(name))

    def _mend(self, types: dict[bytes, str]) -> None:
        for key in items(self._house.link.call(*clients.mend(types))):
            _log.error("%s held something that callboard does not put there: it is deleted", text(key))
