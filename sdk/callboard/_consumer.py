"""A client's inbox as the server shows it: what outcomes came, in order and none twice, read some reads ahead.

The server remembers how far a consumer group has read, so reads need not say it, and several may be sent at once: the
next blocks as soon as the one before is answered. An outcome then finds a read waiting, without one packet more.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from callboard_broker.errors import BrokerError, BrokerRefusedError, BrokerUnreachableError
from callboard_broker.operations import clients, streams
from callboard_broker.packing import pack
from callboard_broker.wire import TRANSIENT, ReplyError, stream_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard_broker.keys import Keyspace
    from callboard_broker.wire import Wire

#: Entries read at once; one may hold the outcomes of many calls.
_COUNT: Final = 50
#: Reads sent at once when outcomes come one by one. When several come together a single read brings more of them.
_AHEAD: Final = 8
#: Fields and values of an entry with a single outcome.
_ALONE: Final = 2
#: Errors of an inbox, or of its group, that somebody has taken away: a heartbeat finds out what that means.
_TAKEN: Final = ("GONE", "NOGROUP", "UNBLOCKED", "WRONGTYPE")
#: Milliseconds, and seconds, in which most outcomes come.
_SOON_MS: Final = 5
_SOON: Final = _SOON_MS / 1000
#: Seconds before an inbox that cannot be read is tried again.
_AGAIN: Final = 0.05


class Consumer:
    """Read one client's inbox; for one thread at a time.

    What came stays here until it has been dealt with: a reader that is interrupted, as by Ctrl-C, loses nothing.

    Args:
        keys: Of the server's keys.
        client: Whose inbox.
        connect: Opens a connection; called again after one broke.
    """

    __slots__ = (
        "_ahead",
        "_client",
        "_connect",
        "_groups",
        "_joined",
        "_keys",
        "_lone",
        "_read",
        "_torn",
        "arrived",
        "last",
        "wire",
    )

    def __init__(self, keys: Keyspace, client: str, connect: Callable[[], Wire]) -> None:
        self._keys = keys
        self._client = client
        self._connect = connect
        #: The present connection, for polling.
        self.wire = self._open()
        #: The last entry that came.
        self.last = b"0-1"
        #: Entries that came, each with the heads and bodies of outcomes; whoever has dealt with the first removes it.
        self.arrived: deque[list[bytes]] = deque()
        self._groups = 0
        self._joined = False
        self._read = b""
        #: Reads that were sent and not answered.
        self._ahead = 0
        #: Whether one outcome alone had come when it was looked last.
        self._lone = False
        #: Whether replies may have been lost on their way from the socket.
        self._torn = False

    def ask(self) -> None:
        """Have a read under way.

        Raises:
            BrokerUnreachableError: The connection broke, or has to be replaced: `reconnect`.
            BrokerRefusedError: The server does not let us read.
        """
        if self._torn or self.wire.broken:
            raise BrokerUnreachableError("reading the inbox was interrupted")
        if self._ahead:
            return
        if not self._joined:
            self._join()
        ahead = _AHEAD if self._lone else 1
        self.wire.send_packed(self._read * ahead)
        self._ahead = ahead

    def comes_soon(self, remaining: float) -> bool:
        """Wait for something to come, for some milliseconds, and no longer than so many seconds; tell whether it has.

        Raises:
            BrokerUnreachableError: The connection broke.
        """
        if remaining > _SOON:
            return self.wire.fill(wait=True)
        return self.wire.fill() or self.wire.readable(int(remaining * 1000) + 1)

    def take(self) -> None:
        """Take what has come, waiting for it if need be; it is in `arrived` then. Raises as `ask` does."""
        self._torn = True
        came = 0
        for reply in self.wire.receive_some():
            self._ahead -= 1
            if isinstance(reply, ReplyError):
                raise _trouble(str(reply))
            for entry, flat in stream_entries(reply):
                if flat:
                    self.arrived.append(flat)  # type: ignore[arg-type] # what is in streams is strings
                    came += len(flat)
                # After it is in hand: another connection begins behind this.
                self.last = entry
        # When several had come by now, the next read is to bring all that come until then, in one reply.
        self._lone = came == _ALONE
        self._torn = False

    def reconnect(self) -> None:
        """Go on with another connection, behind what came.

        Raises:
            BrokerUnreachableError: None could be made for as long as `connect` tries.
        """
        self.wire.close()
        self._ahead, self._joined, self._torn = 0, False, False
        self.wire = self._open()

    def interrupt(self) -> None:
        """Have a thread that reads come out of it."""
        self.wire.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self.wire.close()

    def _open(self) -> Wire:
        wire = self._connect()
        wire.nap(_SOON_MS)
        return wire

    def _join(self) -> None:
        self._groups += 1
        group = f"{self._groups}"
        self._torn = True
        (reply,) = self.wire.pipeline([clients.listen(self._keys, self._client, group, self.last)])
        self._torn = False
        if isinstance(reply, ReplyError):
            raise _trouble(str(reply))
        self._joined = True
        self._read = pack(streams.read(self._keys.inbox(self._client), group, "client", _COUNT))


def _trouble(refusal: str) -> BrokerError:
    if not refusal.startswith((*_TAKEN, *TRANSIENT)):
        return BrokerRefusedError(refusal)
    threading.Event().wait(_AGAIN)
    return BrokerUnreachableError(f"the inbox cannot be read: {refusal}")
