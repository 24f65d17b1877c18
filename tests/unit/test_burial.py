"""Burials by supervisors that may die themselves."""

from typing import Any

import pytest

from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.keys import Keyspace
from callboard_broker.operations import clients
from callboard_supervisor.burial import Burial


class Link:
    """Stands for a link to a Redis in which a dead client owns an object that carries another.

    Args:
        fails_at: The command at which the supervisor loses the server, once.
    """

    keys = Keyspace()

    def __init__(self, fails_at: tuple[Any, ...]) -> None:
        self.fails_at = fails_at
        self.done: list[tuple[Any, ...]] = []

    def call(self, *command: Any) -> Any:
        """Do a command, and answer what the burial asks for."""
        if command == self.fails_at:
            self.fails_at = ()
            raise BrokerUnreachableError("gone")
        self.done.append(command)
        if command == clients.bury(self.keys, "owner", "killed"):
            return b"killed"
        if command[0] == "HGET":
            return None if self.deletion in self.done else b"o:inner"
        return 1

    def members(self, _key: bytes) -> set[str]:
        """Return the client's index."""
        return {"object outer"}

    def pipeline(self, commands: list[tuple[Any, ...]]) -> None:
        """Do several commands."""
        self.done += commands

    @property
    def deletion(self) -> tuple[Any, ...]:
        """The command that deletes the object."""
        keys = self.keys
        return "DEL", keys.object("outer"), keys.object_holders("outer"), keys.object_waiters("outer")


@pytest.mark.parametrize("fails_at_the", ["release", "deletion"])
def test_i6_a_burial_that_is_begun_anew_releases_what_an_object_carried(fails_at_the: str) -> None:
    """I6: the supervisor dies in between; when the object is gone, nobody can tell any more what it carried."""
    release = clients.drop_object(Link.keys, "inner", "o:outer", index="-", member="-")
    link: Any = Link(())
    link.fails_at = release if fails_at_the == "release" else link.deletion
    with pytest.raises(BrokerUnreachableError):
        Burial(link, lambda _: None).bury("owner", "killed")
    Burial(link, lambda _: None).bury("owner", "killed")
    assert release in link.done
    assert link.deletion in link.done
