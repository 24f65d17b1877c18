"""Where programs run: a Ray and a callboard of the runner's own, and what ends with it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conformance.judge import Run
from conformance.scenario import translated

from callboard._local import LocalCallboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.scenario import Scenario

HERE: Final = Path(__file__).parent
#: Room for actors, so that no scenario waits for another's.
CPUS: Final = 64
#: Characters of what a program wrote to standard error that are shown.
_LAST_ERRORS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Stage:
    """Something that programs run on.

    Attributes:
        python: Interpreter that has the package.
        shared: What tells a program where the running one is.
        environ: Environment of all programs.
        copies: Folder for translated programs; None where programs run as they are.
    """

    python: str
    shared: dict[str, str]
    environ: dict[str, str]
    copies: Path | None = None

    def run(self, scenario: Scenario, seconds: float) -> Run:
        """Run a program in a session of its own, which is killed when the program has ended or its time is over."""
        environ = self.environ | ({} if scenario.alone else self.shared)
        with (
            tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as errors,
        ):
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [self.python, self._program(scenario)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env={**environ, "TMPDIR": folder},
                start_new_session=True,
            )
            code = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            out.seek(0)
            errors.seek(0)
            return Run(tuple(out.read().splitlines()), code, errors.read()[-_LAST_ERRORS:])

    def _program(self, scenario: Scenario) -> Path:
        if self.copies is None:
            return scenario.path
        copy = self.copies / scenario.group / scenario.path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(translated(scenario.path.read_text(encoding="utf-8")), encoding="utf-8")
        return copy


@contextlib.contextmanager
def ray_stage(python: Path) -> Iterator[Stage]:
    """Run a Ray in the virtual environment that has it; it ends with this process.

    Raises:
        RuntimeError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        environ = _environment() | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "PYTHONPATH": os.pathsep.join([_SUPPORT, str(HERE / "quiet")]),
            "RAY_DEDUP_LOGS": "0",
            "RAY_LOG_TO_DRIVER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": folder,
        }
        head = subprocess.Popen(  # noqa: S603 - our own program
            [python, HERE / "head.py", str(CPUS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environ,
        )
        assert head.stdin is not None
        assert head.stdout is not None
        try:
            address = head.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"Ray did not start; see what {python} {HERE / 'head.py'} says")
            yield Stage(str(python), {"RAY_ADDRESS": address}, environ)
        finally:
            head.stdin.close()
            head.wait()
            head.stdout.close()


@contextlib.contextmanager
def callboard_stage() -> Iterator[Stage]:
    """Run a callboard, which ends with this process."""
    with tempfile.TemporaryDirectory(prefix="callboard-conformance-") as folder, _set(PYTHONPATH=_SUPPORT):
        local = LocalCallboard.start({"num-cpus": str(CPUS)})
        try:
            key = str(local.server.directory / "cluster.key")
            shared = {"CALLBOARD_ADDRESS": local.address, "CALLBOARD_KEY_FILE": key}
            yield Stage(sys.executable, shared, _environment(), Path(folder))
        finally:
            local.stop()


_SUPPORT: Final = str(HERE / "support")


def _environment() -> dict[str, str]:
    """Return this environment without what would lead programs elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "CALLBOARD_"))}
    return kept | {"PYTHONPATH": _SUPPORT}


@contextlib.contextmanager
def _set(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
