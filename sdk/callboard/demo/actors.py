"""The actors of the demo: a pool that may be killed at any moment, and one that keeps what the pool finds."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

import callboard
from callboard.demo.corpus import Index, Summary, count_words
from callboard_broker.host import host_id

if TYPE_CHECKING:
    from callboard import ActorHandle

NAMESPACE: Final = "demo"
CATALOGUE: Final = "catalogue"


class Indexer:
    """Count words. It keeps nothing, as its process may be killed between any two instructions."""

    def index(self, text: str) -> dict[str, int]:
        """Return the words of a text, and how often each occurs. Run twice, it returns the same."""
        return count_words(text)

    def where(self) -> tuple[str, int]:
        """Return the host that this runs on, and the process."""
        return host_id(), os.getpid()


class Catalogue:
    """Keep the index for all clients; they find it by its name.

    Args:
        pool: The indexers, for whoever joins.
    """

    def __init__(self, pool: list[ActorHandle]) -> None:
        self._pool = pool
        self._index = Index()

    def pool(self) -> list[Any]:
        """Return the indexers."""
        return self._pool

    def add(self, file: str, counts: dict[str, int]) -> None:
        """Take over what an indexer found in a file."""
        self._index.add(file, counts)

    def progress(self) -> int:
        """Return how many files are in."""
        return self._index.size

    def look_up(self, word: str) -> dict[str, int]:
        """Return the files that have a word, and how often, the most frequent first."""
        return self._index.look_up(word)

    def summary(self) -> Summary:
        """Return what is compared."""
        return self._index.summary()


def start(size: int) -> tuple[list[ActorHandle], ActorHandle]:
    """Create a pool and its Catalogue, in place of the Catalogue that an earlier demo left here."""
    # The usual case is that there is none.
    with contextlib.suppress(ValueError):
        callboard.kill(callboard.get_actor(CATALOGUE, NAMESPACE))
    indexers = callboard.remote(max_restarts=-1, max_task_retries=-1)(Indexer)
    pool = [indexers.remote() for _ in range(size)]
    catalogues = callboard.remote(name=CATALOGUE, namespace=NAMESPACE, lifetime="detached")(Catalogue)
    return pool, catalogues.remote(pool)
