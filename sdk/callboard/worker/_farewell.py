"""The end of a worker that ends by itself: nothing comes after, what is left fails, and the hook runs."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

from callboard import _session
from callboard._definition import HOOK
from callboard_broker.operations import actors
from callboard_broker.page import Phase
from callboard_broker.wire import items

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from callboard.worker._calls import Desk
    from callboard.worker._replies import Replies
    from callboard.worker._settings import Settings
    from callboard.worker._watch import Watch
    from callboard_broker.deaths import DeathCause
    from callboard_broker.envelope import Call
    from callboard_broker.page import StatusPage
    from callboard_broker.records import ActorRecord

_log = logging.getLogger(__name__)


class Farewell:
    """End an incarnation.

    Args:
        settings: Which one it is.
        page: Told that the end has begun.
        watch: Stopped: from here on the supervisor's bound counts.
        record: What is said of the actor.
        replies: The connection to ask on, as long as the actor does not serve.
    """

    def __init__(
        self, settings: Settings, page: StatusPage, watch: Watch, record: ActorRecord, replies: Replies
    ) -> None:
        self._settings = settings
        self._page = page
        self._watch = watch
        self._record = record
        self._replies = replies
        self._desk: Desk | None = None
        self._instance: Any = None

    def serving(self, replies: Replies, desk: Desk, instance: Any) -> None:
        """Note who answers calls from now on, and who has the hook."""
        self._replies = replies
        self._desk = desk
        self._instance = instance

    def last_act(self, cause: DeathCause) -> None:
        """Say that the end has begun: any death is final from here on."""
        self._page.enter(Phase.ENDING)
        self._watch.stop()
        settings = self._settings
        self._replies.ask(actors.last_act(settings.broker.keys, settings.actor, settings.token, cause))

    def leave(self, last: Sequence[Call], cause: DeathCause, reason: str, loop: asyncio.Runner | None) -> None:
        """End gracefully: nothing comes after, the last calls and what is behind them fail, then the hook runs."""
        settings = self._settings
        self._replies.ask(actors.seal(settings.broker.keys, settings.actor, reason))
        self.last_act(cause)
        assert self._desk is not None
        for call in last:
            self._desk.fail(call, cause)
        self._drain(cause)
        self._replies.finish()
        self._run_hook(loop)

    def leave_as_crash(self, note: str, loop: asyncio.Runner | None) -> None:
        """End gracefully on a way that counts as a crash: what had started is charged, and a restart may follow."""
        self._page.leave_note(note)
        self._page.enter(Phase.ENDING)
        self._watch.stop()
        self._replies.finish()
        self._run_hook(loop)

    def _drain(self, cause: DeathCause) -> None:
        assert self._desk is not None
        settings = self._settings
        start = "-"
        while True:
            command = ("XRANGE", settings.broker.keys.sealed(settings.actor), start, "+", "COUNT", 200)
            entries = items(self._replies.ask(command)[0])
            if not entries:
                return
            for entry in entries:
                identity, flat = items(entry)
                assert isinstance(identity, bytes)
                call = self._desk.open(identity, items(flat))
                if call is not None:
                    self._desk.fail(call, cause)
                start = f"({identity.decode()}"
            self._replies.finish()

    def _run_hook(self, loop: asyncio.Runner | None) -> None:
        if loop is not None:
            # The actor's own tasks end before the hook, which no loop runs beside.
            try:
                loop.close()
            except BaseException:  # noqa: BLE001 - what the tasks make of being cancelled does not change the end
                _log.exception("Error while the event loop was closed")
        try:
            self._call_hook()
        except BaseException:  # noqa: BLE001 - not even exit_actor() in the hook changes the end
            _log.exception("Error during actor __ray_shutdown__ method")
        session = _session.end()
        if session is not None:
            session.client.close(goodbye=True)

    def _call_hook(self) -> None:
        hook = getattr(self._instance, HOOK, None)
        if not callable(hook):
            return
        returned = hook()
        if inspect.iscoroutine(returned):
            returned.close()
            raise TypeError(f"{self._record.class_name}.{HOOK} is async and did not run: make it a plain method")
