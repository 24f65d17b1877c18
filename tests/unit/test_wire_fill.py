"""Taking in what has come to a connection, with or without waiting for it."""

import socket
from collections.abc import Iterator

import pytest

from callboard_broker import _silence
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.wire import Wire

BLINK_MS = 1


class Line(Wire):
    """A wire whose other end is ours; the rest of what it sends comes once it is polled for."""

    def __init__(self) -> None:
        connected, self.peer = socket.socketpair()
        self.rest = b""
        super().__init__(connected)

    def readable(self, milliseconds: int = 0) -> bool:
        """Send the rest, and look as usual."""
        self.peer.sendall(self.rest)
        self.rest = b""
        return super().readable(milliseconds)


@pytest.fixture
def line() -> Iterator[Line]:
    """Give a line."""
    made = Line()
    yield made
    made.close()
    made.peer.close()


def test_nothing_comes(line: Line) -> None:
    """Without waiting that is told at once, with waiting some time later."""
    assert not line.fill()
    line.nap(BLINK_MS)
    assert not line.fill(wait=True)
    assert not line.broken


@pytest.mark.parametrize("wait", [False, True])
def test_what_has_come_is_there_to_be_received(line: Line, wait: bool) -> None:
    """It has left the socket, and is found until it has been received: whoever took it in may be interrupted."""
    line.nap(BLINK_MS)
    line.peer.sendall(b":1\r\n")
    assert line.fill(wait=wait)
    assert not line.readable()
    assert line.fill(wait=wait)
    assert line.receive() == 1
    assert not line.fill()


def test_half_a_reply_is_waited_for_longer_than_a_nap(line: Line) -> None:
    """Its rest is on its way, however long that takes."""
    line.nap(BLINK_MS)
    line.peer.sendall(b"$2\r\nh")
    line.rest = b"i\r\n"
    assert line.fill()
    assert line.receive() == b"hi"


def test_the_rest_of_a_reply_is_not_waited_for_for_ever(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing more for that long is gone."""
    monkeypatch.setattr(_silence, "SILENCE", 0.01)
    line.nap(BLINK_MS)
    line.peer.sendall(b"$2\r\nh")
    with pytest.raises(BrokerUnreachableError, match="fallen silent"):
        line.receive()
    assert line.broken


def test_the_end_is_told_after_all_that_came_before(line: Line) -> None:
    """A peer that has closed is no peer that is silent."""
    line.nap(BLINK_MS)
    line.peer.sendall(b":1\r\n")
    line.peer.close()
    assert line.fill()
    assert line.receive() == 1
    with pytest.raises(BrokerUnreachableError, match="closed by the server"):
        line.fill(wait=True)
    assert line.broken


def test_a_closed_connection_gives_nothing(line: Line) -> None:
    """Whoever asks is told so."""
    line.close()
    with pytest.raises(BrokerUnreachableError):
        line.fill()
    assert line.broken
