"""Running calls on the event loop of an async actor."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from callboard.worker._runner import Runner, again, require_generator
from callboard.worker._signals import Departure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callboard_broker.envelope import Call, Outcome


class CoroutineRunner(Runner):
    """Run calls of an async actor; takes what every `Runner` takes."""

    async def run_here(self, call: Call) -> Outcome:
        """Run a call on the running event loop, and return its outcome; a plain method keeps the loop busy.

        Raises:
            BaseException: A way out of the actor: `SystemExit` or a `Departure`.
        """
        try:
            lost = call.opts and call.option("segment") and self.parking.missing(call)
            content = await asyncio.to_thread(self.parking.fetch, call) if lost else None
            method, args, kwargs = self.load(call, content)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever unpickling user data raises
            return self.failed(call, error)
        attempts = 0
        while True:
            try:
                value = method(*args, **kwargs)
                if inspect.iscoroutine(value):
                    value = await value
                if inspect.isgenerator(value) or inspect.isasyncgen(value) or (call.opts and call.streams):
                    value = await (self._stream_here(call, value) if call.streams else _listed(value))
                break
            except (SystemExit, Departure):
                raise
            except BaseException as error:  # noqa: BLE001 - its outcome is what it raised
                if not again(call, method, error, attempts):
                    return self.failed(call, error)
                attempts += 1
        return self.returned(call, value)

    async def _stream_here(self, call: Call, values: Any) -> int:
        """Do the same with a generator of either kind, on the event loop."""
        require_generator(call, values)
        stream = self.streams.begin(call.id, call.streams)
        try:
            async for value in _asynchronously(values):
                self.give_item(call, stream.gave(), value)
                if not await stream.wait_here():
                    await (values.aclose() if inspect.isasyncgen(values) else _closed(values))
                    break
            return stream.given
        finally:
            self.streams.end(call.id)


async def _asynchronously(values: Any) -> AsyncIterator[Any]:
    if inspect.isasyncgen(values):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


async def _listed(values: Any) -> list[Any]:
    return [value async for value in _asynchronously(values)]


async def _closed(values: Any) -> None:
    values.close()
