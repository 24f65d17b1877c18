"""A client of the demo: feeds a share of the files to the indexers, and what they find to the Catalogue.

    python -m callboard.demo.feeder ADDRESS SHARE CLIENTS

It joins the callboard at ADDRESS by itself and takes the files whose number modulo CLIENTS is SHARE. At the end it
prints the number of calls that it made. It ends at once when its standard input does.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Final

import callboard
from callboard.demo import corpus
from callboard.demo.actors import CATALOGUE, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard import ActorHandle, ObjectRef

#: Files on their way per indexer and client: enough that no indexer waits for a client.
_WINDOW: Final = 3


class Feeder:
    """Feed one client's share of the files.

    Args:
        catalogue: Where results go.
        pool: Where files go.
        share: Which share, from 0.
        clients: How many shares there are.
    """

    def __init__(self, catalogue: ActorHandle, pool: Sequence[ActorHandle], share: int, clients: int) -> None:
        self._catalogue = catalogue
        self._pool = pool
        self._left = corpus.list_files()[share::clients][::-1]
        self._next = share
        self._under_way: list[ObjectRef[None]] = []
        self.calls = 0

    @property
    def busy(self) -> bool:
        """Tell whether anything is left to send or to wait for."""
        return bool(self._left or self._under_way)

    def step(self, timeout: float) -> None:
        """Send files as far as the window allows, and wait for results, for a time at most.

        Raises:
            RayError: A file could not be indexed.
        """
        while self._left and len(self._under_way) < _WINDOW * len(self._pool):
            self._send(self._left.pop())
        ready, self._under_way = callboard.wait(self._under_way, num_returns=1, timeout=timeout)
        callboard.get(ready)

    def _send(self, file: str) -> None:
        indexer = self._pool[self._next % len(self._pool)]
        self._next += 1
        counts = indexer.index.remote(corpus.read(file))
        # The reference and not its value: the call goes out as soon as the indexer has answered, maybe after a restart.
        self._under_way.append(self._catalogue.add.remote(file, counts))
        self.calls += 2


def main(arguments: Sequence[str]) -> None:
    """Be one of the further clients."""
    address, share, clients = arguments
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with callboard.init(address, namespace=NAMESPACE):
        catalogue = callboard.get_actor(CATALOGUE)
        feeder = Feeder(catalogue, callboard.get(catalogue.pool.remote()), int(share), int(clients))
        while feeder.busy:
            feeder.step(10.0)
    sys.stdout.write(f"{feeder.calls}\n")


def _end_with_driver() -> None:
    # The driver never writes; the kernel closes its end of the pipe however it ends.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
