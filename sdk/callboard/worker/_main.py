"""Where a worker begins."""

from __future__ import annotations

import logging
import sys

from callboard.worker._life import Life
from callboard.worker._settings import Settings


def main(config: dict[str, object]) -> None:
    """Be the incarnation that a configuration describes, until its end.

    Raises:
        SystemExit: Always, with the exit code.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(Life(Settings.parse(config)).live())
