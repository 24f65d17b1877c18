"""Reading what the supervisor is asked to do, without blocking its loop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from callboard_broker.errors import BrokerError, BrokerUnreachableError
from callboard_broker.wire import checked, entries, fields, items, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard_broker.packing import Command
    from callboard_broker.wire import Wire
    from callboard_supervisor.house import House

_log = logging.getLogger(__name__)

#: Milliseconds for which a read waits in the server.
BLOCK_MS: Final = 5_000
_RECONNECT: Final = 0.5


class StreamReader:
    """Keep one blocking read outstanding.

    Args:
        house: What the duties share.
        name: For ``CLIENT LIST``.
        command: Makes the next read; gets the id of the last entry that came.
        take: Gets the stream's key, an entry's id and its fields.
        prepare: Run on each new connection, before the first read.
    """

    def __init__(
        self,
        house: House,
        name: str,
        command: Callable[[bytes], Command],
        take: Callable[[bytes, bytes, dict[str, str]], None],
        prepare: Callable[[Wire], None],
    ) -> None:
        self._house = house
        self._name = f"{name}:{house.node}"
        self._command = command
        self._take = take
        self._prepare = prepare
        self._last = b"0-0"
        self._wire: Wire | None = None

    def start(self) -> None:
        """Connect and begin to read; keeps trying while nobody answers."""
        try:
            self._wire = self._house.link.broker.connect(self._name)
            self._prepare(self._wire)
            self._house.reactor.watch(self._wire.fileno(), self._arrived)
            self._wire.send(self._command(self._last))
        except BrokerError as error:
            self._again(error)

    def stop(self) -> None:
        """Stop reading; harmless when repeated or never started."""
        if self._wire is not None:
            self._house.reactor.unwatch(self._wire.fileno())
            self._wire.close()
            self._wire = None

    def check(self) -> None:
        """Connect anew if the server has fallen silent."""
        if self._wire is not None:
            try:
                self._wire.check_silence()
            except BrokerUnreachableError as error:
                self._again(error)

    def _arrived(self) -> None:
        wire = self._wire
        assert wire is not None
        try:
            found = [
                (key, entry, flat)
                for key, stream in map(items, items(checked(wire.receive())))
                for entry, flat in entries(stream)
            ]
            if found:
                self._last = found[-1][1]
            # Before what came is done, and deleted: from behind it, or it would come again.
            wire.send(self._command(self._last))
        except BrokerError as error:
            self._again(error)
            return
        for key, entry, flat in found:
            assert isinstance(key, bytes)
            self._hand_over(key, entry, flat)

    def _hand_over(self, key: bytes, entry: bytes, flat: object) -> None:
        try:
            # Whatever it is, it has to be taken: one that cannot be read must not be read again and again.
            told = {name: value.decode(errors="backslashreplace") for name, value in fields(flat or ()).items()}  # type: ignore[arg-type]
            self._take(key, entry, told)
        except BrokerError as error:
            _log.warning("%s of %s waits for the next sweep: %s", text(entry), text(key), error)
        except Exception:  # noqa: BLE001 - the next entry must not suffer from this one
            _log.exception("%s of %s cannot be done", text(entry), text(key))

    def _again(self, error: BrokerError) -> None:
        _log.warning("%s: %s", self._name, error)
        self.stop()
        if not self._house.closing:
            self._house.reactor.after(_RECONNECT, self.start)
