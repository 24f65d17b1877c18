"""When a wait for a reply ends that is to be followed by another."""

import signal
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.support.waiting import asleep, wait_until

from callboard_broker.wire import Reply, Wire

#: The answer to a commit, and more bytes than it has.
ANSWER = b":1\r\n"
MORE = len(ANSWER) + 1
BOUND = 10


class Line:
    """A wire whose other end is ours."""

    def __init__(self) -> None:
        connected, self.peer = socket.socketpair()
        self.wire = Wire(connected)

    def receiving(self, least: int) -> tuple[threading.Thread, list[Reply]]:
        """Have a thread wait for a reply; return it, and where the reply will be."""
        found: list[Reply] = []
        thread = threading.Thread(target=lambda: found.append(self.wire.receive(least)))
        thread.start()
        return thread, found

    def close(self) -> None:
        """Close both ends."""
        self.wire.close()
        self.peer.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """Give a line."""
    made = Line()
    yield made
    made.close()


def test_a_short_reply_alone_does_not_end_the_wait(line: Line) -> None:
    """It ends with the next, and both are there then."""
    thread, found = line.receiving(MORE)
    line.peer.sendall(ANSWER)
    wait_until(asleep(thread), what="the wait")
    line.peer.sendall(b"$2\r\nhi\r\n")
    thread.join(BOUND)
    assert found == [1]
    # Otherwise it would still have to be received.
    assert not line.wire.readable()
    assert line.wire.receive() == b"hi"


def test_the_rest_of_a_reply_ends_the_wait_however_short_it_is(line: Line) -> None:
    """Only the first wait is for more."""
    line.peer.sendall(ANSWER + b"$2\r\nhi\r")
    assert line.wire.receive(MORE) == 1
    thread, found = line.receiving(1)
    wait_until(asleep(thread), what="the wait for the rest")
    line.peer.sendall(b"\n")
    thread.join(BOUND)
    assert found == [b"hi"]


def test_half_a_reply_that_ends_the_first_wait_does_not_keep_the_second_waiting(line: Line) -> None:
    """The same within one reply."""
    line.peer.sendall(b"$4\r\nhell\r")
    thread, found = line.receiving(MORE)
    wait_until(asleep(thread), what="the wait for the rest")
    line.peer.sendall(b"\n")
    thread.join(BOUND)
    assert found == [b"hell"]


def test_after_hurry_any_byte_ends_a_wait(line: Line) -> None:
    """A worker that was told to leave does not wait for another call."""
    line.wire.hurry()
    line.peer.sendall(ANSWER)
    assert line.wire.receive(MORE) == 1


def test_hurry_ends_the_wait_that_its_signal_has_interrupted(line: Line) -> None:
    """The same when it was told so in the middle of a wait."""
    sleeps = asleep(threading.current_thread())

    def interrupt() -> None:
        line.peer.sendall(ANSWER)
        wait_until(sleeps, what="the wait")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: line.wire.hurry())
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        assert line.wire.receive(MORE) == 1
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
