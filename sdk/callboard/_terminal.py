"""The driver's terminal: what the actors of its job write is shown there, line by line, as Ray shows it.

Lines of stdout go to stdout, those of stderr to stderr, behind ``(Class pid=123)``; ``Class`` is the actor's own repr
if its class defines one. A line comes soon after it was written, and in no promised order with results of calls.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from callboard._folding import Folding, Line
from callboard_broker.errors import BrokerError, BrokerRefusedError, BrokerUnreachableError, EnvelopeError
from callboard_broker.operations import actors
from callboard_broker.output import KIND, STREAMS, Batch
from callboard_broker.wire import checked, items, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard._client import Client
    from callboard_broker.wire import Reply, Wire

_log = logging.getLogger(__name__)

#: Seconds for which lines that have been written already are waited for at the end, while none comes and in all.
_FAREWELL: Final = 2.0
_FAREWELL_AT_MOST: Final = 30.0
#: Seconds between attempts to listen again, at first and at most.
_AGAIN, _AGAIN_AT_MOST = 0.02, 2.0
#: Colours of a prefix, on a terminal.
_CYAN, _PLAIN = "\x1b[36m", "\x1b[0m"


class Terminal:
    """Show what the actors of a client's job write, in a thread of its own.

    Args:
        client: The driver.
        wire: A connection that listens to the job's channel.
    """

    def __init__(self, client: Client, wire: Wire) -> None:
        self._client = client
        self._wire = wire
        self._signer = client.broker.signer(KIND, client.identity.job_id)
        self._folding = Folding() if os.environ.get("CALLBOARD_DEDUP_LOGS", "1") != "0" else None
        #: By node: how many lines it has published.
        self._shown: dict[str, int] = {}
        self._answered: set[str] = set()
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="callboard-terminal", daemon=True)

    @classmethod
    def open(cls, client: Client) -> Terminal | None:
        """Begin to show lines; None when the server refuses to tell of them, which is logged."""
        try:
            wire = _listen(client)
        except BrokerRefusedError as error:
            _log.warning(
                "the output of actors is not shown: %s. Allow the channel %s, or pass log_to_driver=False",
                error,
                client.keys.output(client.identity.job_id).decode(),
            )
            return None
        terminal = cls(client, wire)
        terminal._thread.start()
        return terminal

    def catch_up(self) -> None:
        """Wait for lines that have been written until now, as long as some come."""
        client, job = self._client, self._client.identity.job_id
        # A server that is gone shows nothing more; the farewell itself, which comes next, bears it, too.
        with contextlib.suppress(BrokerError):
            nodes = {text(name) for name in items(client.ask("SMEMBERS", client.keys.nodes))}
            for node in nodes:
                client.ask(
                    *actors.command_node(client.keys, node, client.broker.signer("command", node), "output", job)
                )
            give_up = time.monotonic() + _FAREWELL_AT_MOST
            with self._news:
                while not nodes <= self._answered and self._news.wait(_FAREWELL) and time.monotonic() < give_up:
                    pass

    def close(self) -> None:
        """Show what has come, and stop; harmless when repeated."""
        with self._news:
            self._closing.set()
            self._wire.interrupt()
        self._thread.join(_FAREWELL)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._show_what_comes()
            except BrokerUnreachableError:
                self._listen_again()
        self._wire.close()
        if self._folding:
            _write(self._folding.rest())

    def _show_what_comes(self) -> None:
        while True:
            for reply in self._wire.arrived():
                self._take(reply)
            patience = None
            if self._folding:
                now = time.monotonic()
                _write(self._folding.due(now))
                patience = self._folding.patience(now)
            self._wire.readable(-1 if patience is None else int(patience * 1000) + 1)

    def _listen_again(self) -> None:
        pause = _AGAIN
        while not self._closing.wait(pause):
            try:
                wire = _listen(self._client)
            except BrokerError:
                # The same is said, and in words, by whatever the program does next.
                pause = min(2 * pause, _AGAIN_AT_MOST)
                continue
            _say("the connection to Redis broke for a moment, so lines may be missing here")
            with self._news:
                self._wire.close()
                self._wire = wire
                if self._closing.is_set():
                    wire.interrupt()
            return

    def _take(self, reply: Reply) -> None:
        message = items(reply)[2]
        if not isinstance(message, bytes):
            return
        try:
            batch = Batch.open(self._signer, message)
        except EnvelopeError as error:
            _log.warning("somebody without the cluster key writes to this program's terminal: %s", error)
            return
        if not batch.lines:
            with self._news:
                self._answered.add(batch.node)
                self._news.notify_all()
            return
        expected = self._shown.get(batch.node, batch.number)
        if batch.number < expected:
            # It was sent twice, by a supervisor whose connection broke or by somebody who kept it.
            return
        self._shown[batch.node] = batch.number + len(batch.lines)
        if batch.number > expected:
            _say(f"{batch.number - expected:,} lines were lost on their way to this terminal")
        _write(self._folded(batch))
        with self._news:
            self._news.notify_all()

    def _folded(self, batch: Batch) -> Sequence[Line]:
        where = "" if batch.hostname == self._client.identity.hostname else f", host={batch.hostname}"
        prefix = f"({batch.source} pid={batch.pid}{where})"
        lines = [Line(batch.stream, prefix, line) for line in batch.lines]
        if self._folding is None:
            return lines
        now = time.monotonic()
        return [shown for line in lines for shown in self._folding.take((batch.node, batch.pid), line, now)]


def _listen(client: Client) -> Wire:
    """Open a connection that listens to the output of a client's job.

    Raises:
        BrokerUnreachableError: Nobody answers.
        BrokerRefusedError: The server refuses it.
    """
    wire = client.broker.connect(f"terminal:{client.id}")
    try:
        checked(wire.call("SUBSCRIBE", client.keys.output(client.identity.job_id)))
    except BaseException:
        wire.close()
        raise
    return wire


def _write(lines: Sequence[Line]) -> None:
    for stream, target in zip(STREAMS, (sys.stdout, sys.stderr), strict=True):
        chosen = [line for line in lines if line.stream == stream]
        if not chosen or target is None:
            continue
        # Who has closed the stream does not want to see anything.
        with contextlib.suppress(OSError, ValueError):
            before, after = (_CYAN, _PLAIN) if target.isatty() and "NO_COLOR" not in os.environ else ("", "")
            target.write("".join(f"{before}{line.prefix}{after} {line.text}\n" for line in chosen))
            target.flush()


def _say(what: str) -> None:
    _write([Line("err", "(callboard)", f"{what}; `callboard logs ACTOR` shows all that an actor has written")])
