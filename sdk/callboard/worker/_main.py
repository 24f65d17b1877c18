"""Where a worker begins."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from callboard.worker._life import Life
from callboard.worker._settings import Settings
from callboard_broker import scripts

if TYPE_CHECKING:
    from collections.abc import Callable

# This module is imported by the fork server: what is read here is read once for all workers.
scripts.load_all()


def main(config: dict[str, Any]) -> NoReturn:
    """Be the incarnation that a configuration describes, until its end."""
    run(lambda: Life(Settings.parse(config)).live())


def run(live: Callable[[], int]) -> NoReturn:
    """Live, and end this process with the code that this returns."""
    try:
        code = live()
    except SystemExit as leaving:
        code = _code(leaving)
    except BaseException:  # noqa: BLE001 - the last frame there is
        traceback.print_exc()
        code = 1
    _exit(code)


def _exit(code: int) -> NoReturn:
    """End as the interpreter does, but for taking itself apart: that would copy every page shared with the siblings."""
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - waits for the user's own threads
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _code(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)  # noqa: T201 - what the interpreter does with such a code
    return 1
