"""The worker's side of the mailbox: reading calls in order, surviving broken connections.

A serial actor's mailbox and its replies share one connection: the last outcome of a batch travels in one packet with
the next read. An actor that runs several calls at once answers on a connection of its own, as a connection that waits
in a read does nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callboard.worker._replies import Replies
from callboard.worker._signals import Fenced, Lost
from callboard_broker.errors import BrokerError, BrokerUnreachableError
from callboard_broker.operations import actors, streams
from callboard_broker.packing import pack
from callboard_broker.wire import TRANSIENT, ReplyError, items, maybe_text, stream_entries, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard.worker._settings import Settings
    from callboard_broker.journal import Journal
    from callboard_broker.page import StatusPage
    from callboard_broker.wire import Reply, Wire

#: Calls taken in each of two reads. Bounds what counts as started when the worker is lost with its node.
_COUNT: Final = 100
#: More bytes than the answer to a commit of one call has; any answer to a read has them.
_MORE_THAN_AN_ANSWER: Final = len(b":1\r\n") + 1


class Mailbox(Replies):
    """Read one actor's calls; answer them on the same connection.

    Args:
        settings: Which incarnation this is.
        wire: The connection to begin with.
        page: Told the server's id of each connection.
        journal: Keeps outcomes until they are acknowledged.
        before_waiting: Called before each wait for calls; may raise a way out.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        page: StatusPage,
        journal: Journal,
        before_waiting: Callable[[], None],
    ) -> None:
        super().__init__(settings, wire, page, journal)
        self._before_waiting = before_waiting
        #: Whether the reading thread waits for calls, having nothing half-done: it may be interrupted.
        self.waiting = False
        self._answers_here = True
        self._group = settings.token
        self._groups = 0
        self._sealed = ""
        self._stream = self._keys.mailbox(settings.actor)
        self._last = b"0-0"
        #: Whether a single call had come the last time: then one read is asked for, and two otherwise.
        self._lone = False
        self._reads = self._pack_reads()

    @property
    def sealed(self) -> str:
        """Return why the mailbox is sealed, as far as this worker knows; empty while it is open."""
        return self._sealed

    def seal_seen(self, reason: str) -> None:
        """Read the sealed mailbox from now on."""
        if reason:
            self._sealed = reason
            self._stream = self._keys.sealed(self._settings.actor)
            self._reads = self._pack_reads()

    def separate_replies(self) -> Replies:
        """Return replies on a connection of their own; on this one nothing is answered from here on.

        Raises:
            Lost: The broker could not be reached for too long.
        """
        self.finish()
        self._answers_here = False
        settings = self._settings
        try:
            wire = settings.broker.connect(f"worker:{settings.actor}", patience=2 * settings.heartbeat_timeout)
            return Replies(settings, wire, self._page, self._journal)
        except BrokerError as error:
            raise Lost(str(error)) from error

    def read(self) -> list[tuple[bytes, list[Reply] | None]]:
        """Wait for calls, some seconds at most; send what is collected in the same packet.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        try:
            self._send(self._reads[self._lone])
            if len(self._owed) > 1:
                self._read_answers()
            if self._owed:
                # Being woken by the answer to a lone commit, only to wait again, would cost as much as running a call.
                self._before_waiting()
                self._read_answers(least=_MORE_THAN_AN_ANSWER)
            self.waiting = True
            self._before_waiting()
            reply, more = self._wire.receive(), None if self._lone else self._wire.receive()
        except BrokerUnreachableError:
            self.waiting = False
            self._take_over()
            return []
        self.waiting = False
        return self._take(reply, more)

    def hurry(self) -> None:
        """Have `read` come to where it may be interrupted soon; for signal handlers in the reading thread."""
        self._wire.hurry()

    def ask_for_calls(self) -> None:
        """Begin a read; `take_calls` ends it, once there is something to receive.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        while True:
            try:
                self._send(self._reads[self._lone])
                return
            except BrokerUnreachableError:
                self._take_over()

    def take_calls(self) -> list[tuple[bytes, list[Reply] | None]]:
        """End a read that `ask_for_calls` began; an empty list when it has to be asked again.

        Raises:
            Fenced: This incarnation is over.
            Lost: The broker could not be reached for too long.
        """
        try:
            reply, more = self._wire.receive(), None if self._lone else self._wire.receive()
        except BrokerUnreachableError:
            self._take_over()
            return []
        return self._take(reply, more)

    def _take(self, reply: Reply, more: Reply) -> list[tuple[bytes, list[Reply] | None]]:
        if isinstance(reply, ReplyError):
            self._refused(str(reply))
            return []
        found = stream_entries(reply)
        # What is wrong with the second read only, the next first one will say again.
        if isinstance(more, list):
            found += stream_entries(more)
        # What would come with a second call is not worth a read more for each that comes alone.
        self._lone = len(found) == 1
        if found:
            self._last = found[-1][0]
        return found

    def _pack_reads(self) -> tuple[bytes, bytes]:
        where = self._stream, self._group, "worker", _COUNT
        one = pack(streams.read(*where))
        return one + pack(streams.read_on(*where)), one

    def _refused(self, error: str) -> None:
        if error.startswith(("NOGROUP", "UNBLOCKED", "ERR no such key", "WRONGTYPE")):
            self._look_at_record(error)
        elif error.startswith(TRANSIENT):
            self._take_over()
        else:
            raise Lost(f"the mailbox cannot be read: {error}")

    def _look_at_record(self, error: str) -> None:
        token, sealed = items(self.ask(("HMGET", self._keys.actor(self._settings.actor), "token", "sealed"))[0])
        if maybe_text(token) != self._settings.token:
            raise Fenced(error)
        reason = maybe_text(sealed) or ""
        if reason == self._sealed:
            # Same incarnation, same stream, and yet no group: somebody destroyed it.
            self._take_over()
        self.seal_seen(reason)

    def _resume(self) -> None:
        """Take a group of this connection's own, so that nothing is lost with a reply that never came."""
        settings = self._settings
        self._groups += 1
        group = f"{settings.token}.{self._groups}"
        sealed = self._wire.call(*actors.takeover(self._keys, settings.actor, settings.token, group, self._last))
        if self._answers_here:
            self._introduce()
        self._group = group
        self.seal_seen(text(sealed))
        self._reads = self._pack_reads()
