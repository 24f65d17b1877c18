"""What is noticed when somebody unpickles it."""

import os
from pathlib import Path
from typing import Any

__all__ = ["Canary"]


class Canary:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)
