"""One connection to Redis: the only module that sees raw replies.

From the first command on the socket is read and written here with hiredis. A `redis.Redis` object costs 48 us a command
and may append an entry twice, as it re-sends what failed; this costs 16 us, never re-sends, and lets a caller poll
several connections at once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import hiredis

from callboard_broker import _silence
from callboard_broker._opening import PRIMARY, open_socket
from callboard_broker.addresses import FORMS, without_password
from callboard_broker.errors import BrokerRefusedError, BrokerUnreachableError
from callboard_broker.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from callboard_broker.packing import Argument, Command

Look: TypeAlias = "Callable[[Callable[[], bool]], object]"
ReplyError = hiredis.ReplyError
Reply: TypeAlias = "bytes | int | list[Reply] | hiredis.ReplyError | None"

_CHUNK: Final = 1 << 16
#: How refusals begin that do not last.
_LATER: Final = ("LOADING", "ERR max number of clients")
#: How refusals begin of a server that will be ready soon, or that another will replace.
TRANSIENT: Final = (
    "LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "BUSY", "TRYAGAIN", "NOREPLICAS", "MISCONF",
)  # fmt: skip


class Wire:
    """A connection that sends packed commands and receives replies, in order.

    Not safe for use by several threads at once: its owner holds a lock or keeps it to one thread. After any error while
    reading or writing it is broken for good, because request and reply could no longer be paired.
    """

    __slots__ = (
        "__weakref__", "_asked_at", "_hurried", "_least", "_naps", "_pending", "_poll", "_reader", "_socket", "broken",
    )  # fmt: skip

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reader = hiredis.Reader()
        #: Of a TLS connection: how many bytes it has read already.
        self._pending: Callable[[], int] | None = getattr(connected, "pending", None)
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        self.broken = False
        #: Bytes that must be there to end a wait, and whether it is to be one from now on.
        self._least = 1
        self._hurried = False
        #: Milliseconds for which `fill` waits; 0 as long as it has not been told.
        self._naps = 0
        #: Since when something has been asked and nothing has come; 0.0 when something has come since.
        self._asked_at = 0.0

    @classmethod
    def open(cls, address: str, *, name: str = "", timeout: float = 5.0) -> Self:
        """Connect to an address once.

        Args:
            address: As in `callboard_broker.addresses`.
            name: Shown by ``CLIENT LIST``.
            timeout: Seconds for connecting and authenticating.

        Raises:
            BrokerUnreachableError: Nobody answers there.
            BrokerRefusedError: Somebody answers, but refuses us (password, database, TLS).
            ValueError: The address is not a Redis URL.
        """
        shown = without_password(address)
        try:
            connected, greeting = open_socket(address, name, timeout)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{shown!r} is not a Redis address: {error}. Use {FORMS}.") from None
        except BrokerRefusedError as error:
            raise BrokerRefusedError(f"{shown} refused the connection: {error}") from None
        except OSError as error:
            raise BrokerUnreachableError(f"no Redis answers at {shown}: {error}") from None
        wire = cls(connected)
        try:
            wire._greet(greeting, shown)
            _silence.bound(connected)
            _silence.opened(wire, address)
        except BaseException:
            wire.close()
            raise
        return wire

    def _greet(self, greeting: Sequence[Command], shown: str) -> None:
        try:
            *replies, ping = self.pipeline([*greeting, ("PING",)])
        except BrokerUnreachableError as error:
            raise BrokerUnreachableError(f"no Redis answers at {shown}: {error}") from None
        refusal = next((str(reply) for reply in replies if isinstance(reply, ReplyError)), "")
        # Who reads its data again greets already, but refuses to work. One that cannot write does, too, and can be
        # read; and not everybody may ping.
        if str(ping).startswith(_LATER):
            refusal = refusal or str(ping)
        if refusal.startswith(_LATER):
            raise BrokerUnreachableError(f"no Redis answers at {shown} yet: {refusal}")
        if refusal:
            raise BrokerRefusedError(f"{shown} refused the connection: {refusal}")
        if any(isinstance(reply, list) and reply[0] != PRIMARY for reply in replies):
            raise BrokerUnreachableError(f"no Redis answers at {shown} yet: the primary has become a replica")

    def fileno(self) -> int:
        """Return the descriptor, for polling."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection; harmless when repeated."""
        self.broken = True
        self._socket.close()
        _silence.closed(self)

    def interrupt(self) -> None:
        """Make a thread that blocks on this connection return with an error; the connection is of no use afterwards."""
        with contextlib.suppress(OSError):
            # That of an SSLSocket would make it a plain one, whose bytes the other thread would take for replies.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def send(self, *commands: Command) -> None:
        """Write commands in one packet, without waiting for their replies.

        Raises:
            BrokerUnreachableError: The connection broke; whether the server got the commands is unknown.
        """
        self.send_packed(pack(*commands))

    def send_packed(self, data: bytes) -> None:
        """Write commands that `pack` made, in one packet.

        Raises:
            BrokerUnreachableError: The connection broke; whether the server got the commands is unknown.
        """
        try:
            if self.broken:
                raise ConnectionResetError("it broke before")
            if not self._asked_at:
                self._asked_at = time.monotonic()
            self._socket.sendall(data)
        except OSError as error:
            self.broken = True
            raise BrokerUnreachableError(f"the connection to Redis broke while sending: {error}") from error
        except BaseException:
            self.broken = True
            raise

    def receive(self, least: int = 1) -> Reply:
        """Wait for the next reply; an error reply is returned, not raised.

        Args:
            least: Bytes that must be there before the wait ends for the first time, unless the peer has gone or
                `hurry` was called: who knows that a short reply will be followed by another need not be woken for it.

        Raises:
            BrokerUnreachableError: The connection broke, or nothing came for `SILENCE` seconds.
        """
        reader = self._reader
        try:
            while (reply := reader.gets()) is False:
                if least != self._least:
                    self._wait_for(least)
                least = 1
                self._take_in()
        except (BlockingIOError, TimeoutError):
            # Where there are naps, the kernel has only ended one.
            if self._naps and self._pending is None and self.readable(int(_silence.SILENCE * 1000)):
                return self.receive()
            raise self._forsaken() from None
        except OSError as error:
            raise self._broke(error) from error
        except BaseException:
            self.broken = True
            raise
        return reply  # type: ignore[no-any-return] # hiredis has no types

    def nap(self, milliseconds: int) -> None:
        """Have `fill` wait for so long, when it waits."""
        self._naps = milliseconds
        _silence.nap(self._socket, milliseconds)

    def fill(self, *, wait: bool = False) -> bool:
        """Take in what has come, in one system call, so that `receive` finds it; tell whether there is anything.

        What has come may turn out to be half a reply; the rest is then on its way. Raises as `receive` does.

        Args:
            wait: Wait for it, for as long as `nap` has said.
        """
        if self._reader.has_data():
            return True
        if self._pending is not None:
            # Python reads TLS without flags, and waits by itself.
            return self.readable(self._naps if wait else 0)
        try:
            self._take_in(0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._broke(error) from error
        except BaseException:
            self.broken = True
            raise
        return True

    def _take_in(self, flags: int = 0) -> None:
        data = self._socket.recv(_CHUNK, flags)
        if not data:
            raise ConnectionResetError("closed by the server")
        self._asked_at = 0.0
        self._reader.feed(data)

    def _broke(self, error: OSError) -> BrokerUnreachableError:
        self.broken = True
        return BrokerUnreachableError(f"the connection to Redis broke: {error}")

    def receive_some(self) -> list[Reply]:
        """Wait for the next reply; return it and those that have come together with it. Raises as `receive` does."""
        replies, more = [self.receive()], self._reader.gets
        while (reply := more()) is not False:
            replies.append(reply)
        return replies

    def expect(self) -> None:
        """Note that a reply is due although nothing is asked now, so that silence is noticed."""
        if not self._asked_at:
            self._asked_at = time.monotonic()

    def check_silence(self) -> None:
        """Give up, and end the connection, when nothing has come for `SILENCE` seconds since something was asked.

        For those who wait for replies by polling, whom the kernel does not tell so.

        Raises:
            BrokerUnreachableError: Nothing has.
        """
        if self._asked_at and _silence.too_long(self._asked_at):
            raise self._forsaken()

    def _forsaken(self) -> BrokerUnreachableError:
        self.broken = True
        _silence.give_up_with(self, self._asked_at)
        return BrokerUnreachableError("the server has fallen silent")

    def hurry(self) -> None:
        """Have every wait end with the first byte from now on, also the one that a signal handler has interrupted."""
        self._hurried = True
        with contextlib.suppress(OSError):  # closed meanwhile
            self._wait_for(1)

    def _wait_for(self, least: int) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
        self._least = least
        if self._hurried and least != 1:
            # The signal may have come just before.
            self._wait_for(1)

    def available(self) -> list[Reply]:
        """Return the replies that have come, without waiting; error replies are among them.

        Raises:
            BrokerUnreachableError: The connection broke.
        """
        return list(self.arrived())

    def arrived(self) -> Iterator[Reply]:
        """Yield the replies that have come, without waiting; error replies are among them.

        Raises:
            BrokerUnreachableError: The connection broke, after all that had come before.
        """
        while True:
            while (reply := self._reader.gets()) is not False:
                yield reply
            if not self.readable():
                return
            yield self.receive()

    def readable(self, milliseconds: int = 0) -> bool:
        """Tell whether `receive` would find something, waiting at most so long (-1: for ever).

        What is readable may turn out to be half a reply; the rest is then on its way.
        """
        if self._pending is not None and self._pending():
            return True
        return bool(self._poll.poll(milliseconds))

    def call(self, *command: Argument) -> Reply:
        """Send one command and return its reply.

        Raises:
            BrokerRefusedError: The server answered with an error, whose first word is the exception's ``code``.
            BrokerUnreachableError: The connection broke.
        """
        self.send(command)
        return checked(self.receive())

    def pipeline(self, commands: Sequence[Command], look: Look | None = None) -> list[Reply]:
        """Send commands in one packet and return the replies, errors among them; ``look`` gets `readable` before."""
        if not commands:
            return []
        self.send(*commands)
        if look is not None:
            look(self.readable)
        return [self.receive() for _ in commands]


def checked(reply: Reply) -> Reply:
    """Return a reply, raising it when it is an error.

    Raises:
        BrokerRefusedError: The reply is an error.
    """
    if isinstance(reply, ReplyError):
        raise BrokerRefusedError(str(reply))
    return reply


def integer(reply: Reply) -> int:
    """Return a reply that must be an integer."""
    assert isinstance(reply, int), reply
    return reply


def text(reply: Reply) -> str:
    """Return a reply that must be a string, decoded."""
    assert isinstance(reply, bytes), reply
    return reply.decode()


def maybe_text(reply: Reply) -> str | None:
    """Return a reply that must be a string or nil."""
    return None if reply is None else text(reply)


def items(reply: Reply) -> list[Reply]:
    """Return a reply that must be a list; nil counts as the empty one."""
    if reply is None:
        return []
    assert isinstance(reply, list), reply
    return reply


def mapping(reply: Reply) -> dict[str, bytes]:
    """Return a reply that lists fields and values, such as that of HGETALL."""
    return fields(items(reply))


def selection(names: Iterable[str], reply: Reply) -> dict[str, bytes]:
    """Return what HMGET found of the fields that it was asked for."""
    return {name: value for name, value in zip(names, items(reply), strict=True) if isinstance(value, bytes)}


def fields(flat: Iterable[Reply]) -> dict[str, bytes]:
    """Pair up fields and values; a field name that is not UTF-8 is kept with its bytes escaped."""
    pairs = iter(flat)
    found: dict[str, bytes] = {}
    for name, value in zip(pairs, pairs, strict=True):
        assert isinstance(name, bytes)
        assert isinstance(value, bytes)
        found[name.decode(errors="backslashreplace")] = value
    return found


def entries(reply: Reply) -> list[tuple[bytes, list[Reply] | None]]:
    """Return the entries of one stream, as XRANGE gives them: id and flat fields, or None when deleted meanwhile."""
    found: list[tuple[bytes, list[Reply] | None]] = []
    for entry in items(reply):
        identity, flat = items(entry)
        assert isinstance(identity, bytes)
        found.append((identity, flat if isinstance(flat, list) else None))
    return found


def stream_entries(reply: Reply) -> list[tuple[bytes, list[Reply] | None]]:
    """Return the entries of an XREAD or XREADGROUP reply over one stream; nil (nothing came) is the empty list."""
    return [] if reply is None else reply[0][1]  # type: ignore[index, return-value] # so the server answers these
