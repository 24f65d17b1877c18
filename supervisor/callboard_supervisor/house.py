"""What the duties of a supervisor share: its configuration, its loop, its connection, its fork server, its actors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callboard_supervisor.nursery import Nursery
from callboard_supervisor.reactor import Reactor
from callboard_supervisor.residents import Residents

if TYPE_CHECKING:
    from callboard_broker.keys import Keyspace
    from callboard_supervisor.config import Config
    from callboard_supervisor.link import Link


@dataclass
class House:
    """What the duties of a supervisor share.

    Attributes:
        closing: The supervisor is ending: nothing new is started.
    """

    config: Config
    link: Link
    reactor: Reactor = field(default_factory=Reactor)
    nursery: Nursery = field(default_factory=Nursery)
    residents: Residents = field(init=False)
    closing: bool = False

    def __post_init__(self) -> None:
        self.residents = Residents(dict(self.config.resources))

    @property
    def keys(self) -> Keyspace:
        """Return the maker of Redis keys."""
        return self.link.keys

    @property
    def node(self) -> str:
        """Return this node's id."""
        return self.config.node
