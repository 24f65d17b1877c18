"""The way out, on connections that break."""

import threading
import time
from typing import Any

import pytest

from callboard import _outbound
from callboard._outbound import Outbound
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.packing import pack


class BrokenWire:
    """A connection that notes what is sent, and may be broken."""

    def __init__(self, sent: list[bytes], *, broken: bool) -> None:
        self._sent = sent
        self._broken = broken

    def send_packed(self, data: bytes) -> None:
        if self._broken:
            raise BrokerUnreachableError("it broke")
        self._sent.append(data)

    def available(self) -> list[Any]:
        return []

    def check_silence(self) -> None:
        pass

    def close(self) -> None:
        self._broken = True


def test_i1_what_is_posted_while_new_connections_break_as_well_is_sent_once_and_raises_nothing() -> None:
    """It stays to be sent, so whoever posted it must not be told otherwise."""
    sent: list[bytes] = []
    wires = iter(BrokenWire(sent, broken=broken) for broken in (True, True, False))
    recalled: list[Any] = []

    def recall(wire: Any) -> list[Any]:
        recalled.append(wire)
        if len(recalled) == 1:
            raise BrokerUnreachableError("it broke again")
        return []

    outbound = Outbound(lambda: next(wires), recall, threading.Event())  # type: ignore[arg-type,return-value] # stands for a Wire
    with outbound.lock:
        outbound.post_locked(pack(("PING",)), lambda _: None)
    outbound.push()
    assert sent == [pack(("PING",))]
    outbound.close()


def test_what_is_posted_after_a_wait_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However soon: calls made one by one are no burst, and nobody may come to send what is held back."""
    monkeypatch.setattr(_outbound, "_BURST_NS", 10**10)
    sent: list[bytes] = []
    wire: Any = BrokenWire(sent, broken=False)
    outbound = Outbound(lambda: wire, lambda _: [], threading.Event())
    monkeypatch.setattr(outbound._flusher, "watch", lambda: None)
    commands = [pack(("PING", number)) for number in range(3)]
    for command in commands:
        outbound.push()
        with outbound.lock:
            outbound.post_locked(command, lambda _: None)
    assert sent == commands
    with outbound.lock:
        outbound.post_locked(commands[0], lambda _: None)
    assert sent == commands
    outbound.close()


def test_a_burst_lasts_while_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending wakes the server, which may take the processor, and so may anybody: the next call is no lone one."""
    now, sent = 10**10, list[bytes]()

    class Crowded(BrokenWire):
        """A connection to a server on the same processor."""

        def send_packed(self, data: bytes) -> None:
            nonlocal now
            now += 10**9
            super().send_packed(data)

    wire: Any = Crowded(sent, broken=False)
    outbound = Outbound(lambda: wire, lambda _: [], threading.Event())
    monkeypatch.setattr(outbound._flusher, "watch", lambda: None)
    monkeypatch.setattr(time, "monotonic_ns", lambda: now)
    ping = pack(("PING",))
    with outbound.lock:
        for number in range(1 + 32 + 128 + 128):
            if number % 7 == 3:
                now += 10**9
            outbound.post_locked(ping, lambda _: None)
        assert [len(data) // len(ping) for data in sent] == [1, 32, 128, 128]
    outbound.close()
