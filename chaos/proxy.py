"""Between a party and its server: ``python -m chaos.proxy LISTEN SERVER``, both paths of unix sockets.

It passes bytes on, and does what lines on its standard input tell it; each is answered by how much that hit:

    delay SECONDS        hold every packet for so long, both ways
    cut                  close every connection
    freeze               pass nothing on, and keep what comes until `flow`
    abandon              let present connections be silent for ever, as if the peer's host were gone
    hush                 pass requests on and drop the replies, then close
    swallow              drop requests, then close
    flow                 pass everything on again
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

_CHUNK: Final = 1 << 16
#: Seconds after which a connection whose bytes were dropped is closed: long enough for the server to have acted.
_CLOSED_AFTER: Final = 0.05


class Proxy:
    """One proxy.

    Args:
        server: Where to pass things on to.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._delay = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._drops = ""
        self._dropped = 0
        self._accepted = 0
        self._abandoned = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._server)
        except OSError:
            writer.close()
            return
        self._accepted += 1
        number = self._accepted
        both = {writer, far_writer}
        self._writers |= both
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._pass_on(number, reader, far_writer, "requests")),
                    asyncio.ensure_future(self._pass_on(number, far_reader, writer, "replies")),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._writers -= both
            for one in both:
                one.close()

    async def _pass_on(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._open.wait()
                if number <= self._abandoned:
                    continue
                if self._drops == what:
                    self._dropped += 1
                    await asyncio.sleep(_CLOSED_AFTER)
                    return
                writer.write(data)
                await writer.drain()

    def obey(self, command: str) -> int:
        """Do what a line says; return how many connections or packets that hit, or have been hit since the last."""
        word, _, value = command.partition(" ")
        hit, self._dropped = self._dropped, 0
        match word:
            case "delay":
                self._delay = float(value)
                hit = len(self._writers)
            case "cut":
                hit = len(self._writers)
                for writer in self._writers:
                    writer.close()
            case "freeze":
                self._open.clear()
                hit = len(self._writers)
            case "abandon":
                self._abandoned = self._accepted
                hit = len(self._writers)
            case "hush":
                self._drops = "replies"
            case "swallow":
                self._drops = "requests"
            case "flow":
                self._delay, self._drops = 0.0, ""
                self._open.set()
        return hit


async def _serve(listen: str, server: str) -> None:
    proxy = Proxy(server)
    listening = await asyncio.start_unix_server(proxy.accept, listen)
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ready", flush=True)  # noqa: T201 - this is how it answers
    while line := await orders.readline():
        print(proxy.obey(line.decode().strip()), flush=True)  # noqa: T201
    listening.close()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
