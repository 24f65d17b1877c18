"""Removing what callboards of this user have left in shared memory that ended with nobody to clear up after them."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard_broker.journal import journal_path
from callboard_broker.locks import try_lock
from callboard_broker.page import StatusPage, page_directory
from callboard_broker.shelves import shelves, unlocked

if TYPE_CHECKING:
    from collections.abc import Container

_log = logging.getLogger(__name__)

#: Seconds between two sweeps.
INTERVAL: Final = 3600.0
#: Seconds for which nobody must have held a thing: longer than a callboard waits for its next supervisor, as a rule.
AGE: Final = 24 * 3600.0
#: Directories of callboards, and status pages with what lies beside them.
_CALLBOARD: Final = re.compile(r"[0-9a-f]{32}")
_PAGE: Final = re.compile(r"([0-9a-f]{24,32}\.(?:task|[0-9a-f]{16}))(?:\.journal|\.new)?")


def sweep(keep: Container[str]) -> None:
    """Remove segments and pages that nobody has held for `AGE`, of whichever callboard.

    What is held is a page that a worker has locked, or a callboard's directory with a locked shelf. Its time of change
    is moved as long as it is.

    Args:
        keep: Callboards that are swept otherwise.
    """
    try:
        with os.scandir(page_directory()) as found:
            for entry in found:
                path = Path(entry.path)
                # Others sweep, too, and owners come and go.
                with contextlib.suppress(FileNotFoundError):
                    if _CALLBOARD.fullmatch(entry.name) and entry.name not in keep:
                        if _forsaken(path, held=_in_use(path)):
                            shutil.rmtree(path)
                    elif page := _PAGE.fullmatch(entry.name):
                        _sweep_page(path, path.with_name(page[1]))
    except OSError as error:
        _log.warning("what others have left in shared memory is looked at again: %s", error)


def _sweep_page(path: Path, page: Path) -> None:
    if not _forsaken(path, held=_locked(page)):
        return
    if path == page:
        StatusPage.unlink(page)
        journal_path(page).unlink(missing_ok=True)
    elif not page.exists():
        path.unlink()


def _forsaken(path: Path, *, held: bool) -> bool:
    """Tell whether something has not been held for long; note it when it is."""
    if held:
        os.utime(path)
        return False
    parts = [path, *path.iterdir()] if path.is_dir() else [path]
    return max(part.lstat().st_mtime for part in parts) < time.time() - AGE


def _in_use(root: Path) -> bool:
    for owner in shelves(root):
        with unlocked(root / owner) as names:
            if names is None:
                return True
    return False


def _locked(page: Path) -> bool:
    try:
        with page.open("rb") as file:
            return not try_lock(file.fileno(), alone=True)
    except FileNotFoundError:
        return False
