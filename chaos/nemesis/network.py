"""Faults of the network, by a proxy before the server: for callers, for nodes, or for all."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from chaos.nemesis.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.nemesis.fault import Strike
    from chaos.theatre import Theatre

__all__ = ["GONE_SILENT", "LOSSES", "UNPLUGGED"]


def _told(command: str) -> Strike:
    """Tell one of the proxies something, and to let everything pass when it heals; count what has been hit by then."""

    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        link = theatre.chance.choice(theatre.links)
        hit = link.tell(command)
        threading.Event().wait(theatre.chance.uniform(0.1, 1.0))
        yield hit + link.tell("flow")

    return strike


@contextlib.contextmanager
def _dead_peers(theatre: Theatre) -> Iterator[int]:
    """Let everybody's present connections fall silent for ever: only new ones pass anything on."""
    hit = sum(link.tell("abandon") for link in theatre.links)
    yield hit


@contextlib.contextmanager
def _unplugged(theatre: Theatre) -> Iterator[int]:
    """Pull the plug of a host for a moment.

    What was lost is sent again ever more rarely, so it may be missed for longer. A node that was taken for lost ends.
    """
    with theatre.chance.choice(theatre.hosts).unplugged():
        yield 1
    theatre.revive()


LOSSES: Final = (
    Fault("replies lost", _told("hush")),
    Fault("requests lost", _told("swallow")),
    Fault("cut", _told("cut")),
    Fault("partition", _told("freeze")),
    Fault("latency", _told("delay 0.02")),
)
GONE_SILENT: Final = (Fault("peers gone silent", _dead_peers, (35.0, 35.0)),)
UNPLUGGED: Final = (Fault("host unplugged for a moment", _unplugged, (0.05, 0.8)),)
