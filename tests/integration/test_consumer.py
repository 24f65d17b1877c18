"""I1: how a client reads its inbox: each outcome once and in order, whatever breaks or interrupts."""

from collections import deque
from collections.abc import Iterator
from types import ModuleType

import pytest
from tests.support.looking import times_asked
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage

from callboard._consumer import Consumer
from callboard_broker.errors import BrokerRefusedError, BrokerUnreachableError
from callboard_broker.wire import Reply, Wire, items

CLIENT = "reader"
#: Milliseconds; what is waited for comes at once.
SOON = 10_000


class Inbox:
    """An inbox without a client, and who reads it.

    Args:
        stage: Where it is.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.connections: list[Wire] = []
        self.key = stage.broker.keys.inbox(CLIENT)
        stage.wire.call("XADD", self.key, "0-1", "id", "-")
        stage.wire.call("XDEL", self.key, "0-1")

    def consumer(self, address: str = "") -> Consumer:
        """Return one that reads it."""

        def connect() -> Wire:
            self.connections.append(Wire.open(address or self._stage.address))
            return self.connections[-1]

        return Consumer(self._stage.broker.keys, CLIENT, connect)

    def put(self, *heads: str) -> None:
        """Write outcomes, each in an entry of its own, in one packet."""
        self._stage.wire.pipeline([("XADD", self.key, "NOMKSTREAM", "*", head, "") for head in heads])

    def close(self) -> None:
        """Leave nothing."""
        for connection in self.connections:
            connection.close()
        self._stage.wire.call("DEL", self.key)


@pytest.fixture
def inbox(on_stage: Stage) -> Iterator[Inbox]:
    """Make an inbox for a test."""
    made = Inbox(on_stage)
    yield made
    made.close()


def read(consumer: Consumer, count: int) -> list[str]:
    """Read and deal with so many outcomes."""
    found: list[str] = []
    while len(found) < count:
        consumer.ask()
        assert consumer.wire.readable(SOON), f"{count} outcomes were to come, but only {found} came"
        consumer.take()
        found += [head.decode() for entry in consumer.arrived for head in entry[::2]]
        consumer.arrived.clear()
    return found


def test_outcomes_come_in_order_and_once(inbox: Inbox) -> None:
    """Whether they were there before the first read, come one by one, or many at once."""
    consumer = inbox.consumer()
    inbox.put("before", "both")
    assert read(consumer, 2) == ["before", "both"]
    for number in range(40):
        inbox.put(f"{number}")
        assert read(consumer, 1) == [f"{number}"]
    many = [f"many {number}" for number in range(120)]
    inbox.put(*many)
    assert read(consumer, len(many)) == many


def test_outcomes_that_come_one_by_one_find_reads_waiting(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several reads are sent in one packet then, which saves one for each call."""
    consumer = inbox.consumer()
    sent: list[int] = []
    send = Wire.send_packed

    def counted(wire: Wire, data: bytes) -> None:
        sent.append(data.count(b"XREADGROUP"))
        send(wire, data)

    monkeypatch.setattr(Wire, "send_packed", counted)
    for number in range(40):
        inbox.put(f"{number}")
        read(consumer, 1)
    assert sum(1 for reads in sent if reads) < 10


def test_what_came_on_a_connection_that_broke_comes_again(inbox: Inbox) -> None:
    """The server has delivered it, but nobody has taken it."""
    consumer = inbox.consumer()
    inbox.put("first")
    assert read(consumer, 1) == ["first"]
    consumer.ask()
    inbox.put("second", "third")
    assert consumer.wire.readable(SOON)

    consumer.interrupt()
    consumer.reconnect()

    assert read(consumer, 2) == ["second", "third"]


def test_a_connection_that_was_given_up_takes_nothing(
    inbox: Inbox, on_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end may not have come to the server: its read waits there, before those of the connection that follows."""
    consumer = inbox.consumer()
    consumer.ask()
    given_up = inbox.connections[-1]
    with monkeypatch.context() as patched:
        patched.setattr(Wire, "close", lambda _: None)
        consumer.reconnect()
    consumer.ask()

    inbox.put("outcome")

    assert read(consumer, 1) == ["outcome"]
    assert str(given_up.receive()).startswith(("NOGROUP", "UNBLOCKED"))
    assert len(items(on_stage.wire.call("XINFO", "GROUPS", inbox.key))) == 1


def test_a_reader_that_was_interrupted_reads_again(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies may have been lost on their way from the socket."""
    consumer = inbox.consumer()
    consumer.ask()
    inbox.put("outcome")
    received = Wire.receive_some

    def interrupted(wire: Wire) -> Iterator[Reply]:
        list(received(wire))
        raise KeyboardInterrupt

    monkeypatch.setattr(Wire, "receive_some", interrupted)
    with pytest.raises(KeyboardInterrupt):
        consumer.take()
    monkeypatch.undo()

    with pytest.raises(BrokerUnreachableError, match="interrupted"):
        consumer.ask()
    consumer.reconnect()
    assert read(consumer, 1) == ["outcome"]


def test_what_was_taken_in_by_a_reader_that_was_interrupted_is_found(inbox: Inbox) -> None:
    """It is no longer in the socket, so that it must not be waited for there."""
    consumer = inbox.consumer()
    consumer.ask()
    inbox.put("outcome")
    assert consumer.wire.readable(SOON)
    assert consumer.comes_soon(SOON)

    consumer.ask()
    assert consumer.comes_soon(SOON)
    assert consumer.comes_soon(0)
    consumer.take()
    assert [head for entry in consumer.arrived for head in entry[::2]] == [b"outcome"]


def test_a_reader_that_was_interrupted_while_it_took_something_in_reads_again(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had left the socket may be lost, as a signal may come before it is kept."""
    consumer = inbox.consumer()
    consumer.ask()
    inbox.put("outcome")

    assert consumer.wire.readable(SOON)

    class Interrupted:
        def has_data(self) -> bool:
            return False

        def feed(self, _data: bytes) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(consumer.wire, "_reader", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        consumer.comes_soon(SOON)

    with pytest.raises(BrokerUnreachableError, match="interrupted"):
        consumer.ask()
    consumer.reconnect()
    assert read(consumer, 1) == ["outcome"]


def test_an_outcome_that_was_read_and_not_kept_is_read_again(inbox: Inbox) -> None:
    """Wherever a signal interrupts a reader: the next connection goes on behind what is in hand, and no further."""
    consumer = inbox.consumer()
    consumer.ask()
    inbox.put("outcome")

    class Interrupted(deque[list[bytes]]):
        def append(self, _entry: list[bytes]) -> None:
            raise KeyboardInterrupt

    consumer.arrived = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        consumer.take()

    consumer.arrived = deque()
    consumer.reconnect()
    consumer.ask()
    assert consumer.wire.readable(SOON), "the outcome was to come again"
    assert read(consumer, 1) == ["outcome"]


def test_calls_that_come_alone_cost_one_read_on_each_side(ray: ModuleType, notes: Notes, on_stage: Stage) -> None:
    """A second read, for what comes in the same packet, pays only when something does."""
    actor = ray.remote(Mortal).remote(notes.path)
    for _ in range(2):
        ray.get(actor.note.remote("alone"))
    before = times_asked(on_stage.wire, "xreadgroup")
    for _ in range(50):
        ray.get(actor.note.remote("alone"))
    assert times_asked(on_stage.wire, "xreadgroup") - before < 2.5 * 50


def test_an_inbox_that_is_gone_is_asked_for_again(inbox: Inbox, on_stage: Stage) -> None:
    """A heartbeat finds out what has become of the client; until then nothing is taken for an outcome."""
    consumer = inbox.consumer()
    consumer.ask()
    on_stage.wire.call("DEL", inbox.key)
    assert consumer.wire.readable(SOON)
    with pytest.raises(BrokerUnreachableError, match=r"NOGROUP|UNBLOCKED"):
        consumer.take()
    consumer.reconnect()
    with pytest.raises(BrokerUnreachableError, match="GONE"):
        consumer.ask()
    on_stage.wire.call("SET", inbox.key, "nonsense")
    with pytest.raises(BrokerUnreachableError, match="GONE"):
        consumer.ask()


def test_who_may_not_read_is_told(inbox: Inbox, on_stage: Stage) -> None:
    """Each time; and is served as soon as it may."""
    on_stage.wire.call("ACL", "SETUSER", "blind", "on", ">his", "~*", "+@all", "-xreadgroup")
    consumer = inbox.consumer(on_stage.address.replace("unix://", "unix://blind:his@"))
    try:
        for _ in range(2):
            consumer.ask()
            with pytest.raises(BrokerRefusedError, match="NOPERM"):
                consumer.take()
            with pytest.raises(BrokerUnreachableError, match="interrupted"):
                consumer.ask()
            consumer.reconnect()
        on_stage.wire.call("ACL", "SETUSER", "blind", "+xreadgroup")
        inbox.put("outcome")
        assert read(consumer, 1) == ["outcome"]
    finally:
        on_stage.wire.call("ACL", "DELUSER", "blind")


def test_outcomes_that_were_being_handed_out_are_handed_out_again(
    ray: ModuleType, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while results are being resolved loses none of them."""
    actor = ray.remote(Mortal).remote(notes.path)
    ray.get(actor.note.remote("before"))
    refs = [actor.note.remote(f"{number}") for number in range(10)]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("callboard._inbox.open_outcomes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ray.get(refs)
    monkeypatch.undo()
    assert ray.get(refs, timeout=30) == [f"{number}" for number in range(10)]
