"""The processes of the sides, as the one that asks them sees them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from bench import pausing
from bench.catalogue import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.side import Command

ROOT: Final = HERE.parent
RAY_PYTHON: Final = ROOT / ".venv-ray" / "bin" / "python"
#: Seconds that a side may take to start, and to end.
_START: Final = 120.0
_END: Final = 60.0


class SideFailedError(Exception):
    """A side could not do what it was asked."""


class SideProcess:
    """A side's process, which is started when it is asked first.

    One that does not answer in time is killed, and started again when it is asked next.

    Attributes:
        versions: Of what it runs on, once it has been started.
    """

    def __init__(self, name: str, log: Path, environ: dict[str, str]) -> None:
        self._name = name
        self._log = log
        self._environ = environ
        self._process: subprocess.Popen[str] | None = None
        self.versions: dict[str, str] = {}

    def ask(self, command: Command, seconds: float) -> dict[str, float]:
        """Have something done.

        Raises:
            SideFailedError: It failed, or took longer.
        """
        process = self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # its answer tells
            process.stdin.write(command.line())
            process.stdin.flush()
        found = self._answer(process, seconds)
        if "error" in found:
            raise SideFailedError(found["error"])
        sample: dict[str, float] = found["sample"]
        return sample

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it go on meanwhile; outside of this it is stopped, with all that belongs to it."""
        if self._process is not None:
            pausing.resume(self._process.pid)
        try:
            yield
        finally:
            if self._process is not None:
                pausing.pause(self._process.pid)

    def stop(self) -> None:
        """Let it end what it has, and wait for it; harmless when repeated."""
        process, self._process = self._process, None
        if process is None:
            return
        pausing.resume(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            self._kill(process)
        process.stdout.close()

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            python = str(RAY_PYTHON) if self._name == "ray" else sys.executable
            with self._log.open("a", encoding="utf-8") as log:
                self._process = subprocess.Popen(
                    [python, "-m", "bench.side", self._name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    cwd=ROOT,
                    env=self._environ,
                    start_new_session=True,
                )
            self.versions = self._answer(self._process, _START)["versions"]
        return self._process

    def _answer(self, process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
        assert process.stdout is not None
        # Each answer is one line to one command, so nothing is left in the buffer.
        line = process.stdout.readline() if select.select([process.stdout], [], [], seconds)[0] else None
        if not line:
            self._kill(process)
            self._process = None
            said = "did not answer" if line is None else f"ended with {process.returncode}"
            raise SideFailedError(f"{self._name} {said} within {seconds:g} s\n{self._last_words()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    @staticmethod
    def _kill(process: subprocess.Popen[str]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment() -> dict[str, str]:
    """Return this environment without what would lead sides elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "CALLBOARD_", "RQ_"))}
    return kept | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
