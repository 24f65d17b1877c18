"""Calls that give their caller one item after the other: how far they are, and when they must wait or stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Stream:
    """A call that gives items.

    Args:
        ahead: Items that it may be ahead of its reader; 0 or less for any number.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._given = 0
        self._read = 0
        self._changed = threading.Condition()
        self._event: asyncio.Event | None = None
        #: Whether nobody wants its items any more.
        self.stopped = False

    def gave(self) -> int:
        """Count an item; return its number, from 0."""
        self._given += 1
        return self._given - 1

    @property
    def given(self) -> int:
        """Return how many items there have been."""
        return self._given

    def told(self, op: str, number: int) -> None:
        """Take what the reader says: that it has read so many items (``read``), or wants no more (``cancel``)."""
        with self._changed:
            if op == "read":
                self._read = max(self._read, number)
            else:
                self.stopped = True
            self._changed.notify_all()
        if self._event is not None:
            self._event.set()

    def wait(self) -> bool:
        """Wait until the reader has caught up far enough; tell whether it wants more."""
        with self._changed:
            self._changed.wait_for(self._may_go_on)
        return not self.stopped

    async def wait_here(self) -> bool:
        """Do the same on the running event loop, where `told` must be called, too."""
        import asyncio  # noqa: PLC0415 - serial actors do without it

        self._event = self._event or asyncio.Event()
        # Also when there is room: whatever else waits for the loop takes its turn.
        await asyncio.sleep(0)
        while not self._may_go_on():
            self._event.clear()
            await self._event.wait()
        return not self.stopped

    def _may_go_on(self) -> bool:
        return self.stopped or self._ahead <= 0 or self._given - self._read < self._ahead


class Streams:
    """The streams that run."""

    def __init__(self) -> None:
        self._open: dict[bytes, Stream] = {}

    def begin(self, call: bytes, ahead: int) -> Stream:
        """Begin a stream, or begin it again."""
        stream = self._open[call] = Stream(ahead)
        return stream

    def end(self, call: bytes) -> None:
        """Forget a stream."""
        self._open.pop(call, None)

    def told(self, op: str, call: bytes, number: int) -> None:
        """Pass on what a reader says; nothing happens when its call does not run."""
        stream = self._open.get(call)
        if stream is not None:
            stream.told(op, number)

    def unwanted(self, item: bytes) -> None:
        """Stop the stream of an item that nobody waits for."""
        self.told("cancel", item.partition(b"#")[0], 0)
