"""What a supervisor reads of the streams that ask it to do things."""

from types import SimpleNamespace
from typing import Any

import pytest

from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.packing import Command
from callboard_broker.wire import Reply
from callboard_supervisor.streams import StreamReader


class Server:
    """Answer reads with what lies in a stream behind what they know, whether or not it has been deleted meanwhile."""

    def __init__(self) -> None:
        self.entries: list[tuple[bytes, list[bytes]]] = []
        self.reads: list[bytes] = []
        self.broken = False

    def connect(self, _name: str) -> "Server":
        return self

    def send(self, command: Command) -> None:
        (last,) = command
        assert isinstance(last, bytes)
        self.reads.append(last)

    def receive(self) -> Reply:
        if self.broken:
            self.broken = False
            raise BrokerUnreachableError("it broke")
        behind = [[entry, fields] for entry, fields in self.entries if entry > self.reads[-1]]
        return [[b"commands", behind]]  # type: ignore[list-item] # lists of lists

    def fileno(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def server() -> Server:
    """A server with an empty stream."""
    return Server()


def reader_of(server: Server, taken: list[tuple[bytes, dict[str, str]]]) -> StreamReader:
    """Begin to read a stream of commands."""
    reactor = SimpleNamespace(watch=lambda *_: None, unwatch=lambda *_: None, after=lambda _seconds, call: call())
    house: Any = SimpleNamespace(node="n", link=SimpleNamespace(broker=server), reactor=reactor, closing=False)
    reader = StreamReader(
        house, "commands", lambda last: (last,), lambda _, entry, told: taken.append((entry, told)), lambda _: None
    )
    reader.start()
    return reader


def test_each_entry_is_read_once(server: Server) -> None:
    """The next read is sent before what came is done, so that nobody waits for that; it begins behind what came."""
    taken: list[tuple[bytes, dict[str, str]]] = []
    reader = reader_of(server, taken)
    server.entries.append((b"1-0", [b"op", b"restart"]))
    reader._arrived()
    server.entries.append((b"2-0", [b"op", b"look"]))
    reader._arrived()
    assert taken == [(b"1-0", {"op": "restart"}), (b"2-0", {"op": "look"})]
    assert server.reads == [b"0-0", b"1-0", b"2-0"]


def test_a_new_connection_goes_on_behind_what_came(server: Server) -> None:
    """Nothing is read again, and nothing is passed over."""
    taken: list[tuple[bytes, dict[str, str]]] = []
    reader = reader_of(server, taken)
    server.entries += [(b"1-0", [b"op", b"a"]), (b"1-1", [b"op", b"b"])]
    reader._arrived()
    server.broken = True
    reader._arrived()
    server.entries.append((b"1-2", [b"op", b"c"]))
    reader._arrived()
    assert [told["op"] for _, told in taken] == ["a", "b", "c"]
    assert server.reads == [b"0-0", b"1-1", b"1-1", b"1-2"]
