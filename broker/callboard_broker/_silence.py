"""How long a peer that says nothing is waited for, and what is given up with it."""

from __future__ import annotations

import os
import socket
import struct
import time
import weakref
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from callboard_broker.wire import Wire

#: Seconds without a byte after which a peer that should answer counts as lost. Blocking reads stay below it.
SILENCE = 30.0
#: After 30 s without a byte the kernel asks whether the peer is there, every 5 s, 3 times; not every system has these.
_PROBES: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class _Opened(NamedTuple):
    wire: weakref.ref[Wire]
    address: str
    at: float


#: The connections of this process that are open, by their identities.
_open: Final[dict[int, _Opened]] = {}
os.register_at_fork(after_in_child=_open.clear)


def bound(connected: socket.socket) -> None:
    """Let the kernel end reads and writes that nobody answers, at no cost per call."""
    # Python waits for ever for the bytes of TLS, whatever the kernel says. Only such sockets tell what is pending.
    connected.settimeout(SILENCE if hasattr(connected, "pending") else None)
    silence = _timeval(int(SILENCE * 1000))
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, silence)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, silence)
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES.items():
            if hasattr(socket, name):
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def nap(connected: socket.socket, milliseconds: int) -> None:
    """Let the kernel end a read after so long in which nothing comes; whoever reads asks again."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(milliseconds))


def _timeval(milliseconds: int) -> bytes:
    seconds, rest = divmod(milliseconds, 1000)
    return struct.pack("ll", seconds, rest * 1000)


def too_long(since: float) -> bool:
    """Tell whether a peer that has said nothing since a moment, on the monotonic clock, counts as lost."""
    return time.monotonic() - since > SILENCE


def opened(wire: Wire, address: str) -> None:
    """Note that a connection to an address is open."""
    _open[id(wire)] = _Opened(weakref.ref(wire), address, time.monotonic())


def closed(wire: Wire) -> None:
    """Note that a connection is open no longer; harmless when repeated."""
    _open.pop(id(wire), None)


def give_up_with(wire: Wire, since: float) -> None:
    """Interrupt a connection that was asked in vain, and what was open to the same address by then.

    Who is gone without a word has left that, too, and each would be waited for as long when its turn comes, one after
    the other.
    """
    mine = _open.get(id(wire))
    if mine is None:
        return
    for other in tuple(_open.values()):
        there = other.wire()
        if there and other.address == mine.address and other.at < since:
            there.interrupt()
