"""Removing the output of those who are long gone."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard_broker.errors import BrokerError
from callboard_broker.locks import try_lock
from callboard_broker.wire import integer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callboard_supervisor.house import House

_log = logging.getLogger(__name__)

#: Files of an actor, with its class before the id, or of a worker for tasks.
_OURS: Final = re.compile(r"(?:task-([0-9a-f]{24})|.+-([0-9a-f]{32}))\.(?:out|err)", re.DOTALL)
#: Files that are asked for at once.
_BATCH: Final = 200
#: Seconds between two sweeps, unless the output is kept for less.
_RARELY: Final = 3600.0


class Papers:
    """Remove the files with the output of actors and workers of this host that nobody knows any more.

    A file stays as long as its actor has a record, as long as a process may write to it, which holds a lock on it, and
    for a time after its last line. The last two also keep what belongs to another callboard with the same directory.

    Args:
        house: What the duties share.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self.interval = min(_RARELY, house.config.log_age)

    def sweep(self) -> None:
        """Look at every file."""
        old = self._old(time.time() - self._house.config.log_age)
        try:
            while chosen := list(islice(old, _BATCH)):
                self._remove_unknown(chosen)
        except (BrokerError, OSError) as error:
            _log.warning("old files with the output of actors are looked at again: %s", error)

    def _old(self, before: float) -> Iterator[tuple[str, Path]]:
        """Yield the files that were last written to before a time, by the id in their names."""
        with os.scandir(self._house.config.log_dir) as found:
            for entry in found:
                whose = _OURS.fullmatch(entry.name)
                if whose and entry.stat(follow_symlinks=False).st_mtime < before:
                    yield whose[1] or whose[2], Path(entry.path)

    def _remove_unknown(self, files: list[tuple[str, Path]]) -> None:
        keys = self._house.keys
        known = self._house.link.pipeline(
            [("EXISTS", keys.actor(identity), keys.client(identity)) for identity, _ in files]
        )
        for (_, path), records in zip(files, known, strict=True):
            if not integer(records):
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    # Somebody else may remove it at the same time.
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        if try_lock(file.fileno(), alone=True):
            path.unlink()
