"""A proxy of a chaos run, as whoever tells it what to do sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["Link"]

_ROOT: Final = Path(__file__).parents[1]


class Link:
    """Run a proxy before a server, and tell it what to do.

    Args:
        path: Where it listens.
        server: The server's socket.
    """

    def __init__(self, path: Path, server: Path) -> None:
        self.address = f"unix://{path}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.proxy", str(path), str(server)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def tell(self, command: str) -> int:
        """Have it do something; return how much that hit."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return int(self._answer())

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        if not said:
            raise RuntimeError(f"the proxy at {self.address} has ended")
        return said
