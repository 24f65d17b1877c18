"""Other driver processes, which do what a test tells them, line by line."""

import ast
import contextlib
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["OtherDriver", "other_driver"]

_ROOT = Path(__file__).parents[2]


class OtherDriver:
    """A driver process in a namespace; it finds the callboard by the environment.

    Its ``ray`` is callboard, and names that it is told to assign stay.
    """

    def __init__(self, namespace: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, namespace],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def tell(self, code: str) -> None:
        """Have it run statements of one line, without waiting for them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{code}\n")
        self._process.stdin.flush()

    def do(self, code: str) -> None:
        """Have it run statements of one line."""
        self.tell(code)
        self._answer()

    def ask(self, expression: str) -> Any:
        """Have it evaluate an expression, and return the value, which must be plain data."""
        self.do(f"_answer = {expression}")
        self.tell("_said = repr(_answer)")
        return ast.literal_eval(self._answer())

    def kill(self) -> None:
        """Kill it by SIGKILL and wait until it is gone."""
        self._process.kill()
        assert self.wait() == -signal.SIGKILL

    def leave(self) -> int:
        """Have its program come to its end; return the exit code."""
        self.tell("_leave = True")
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        code = self._process.wait(timeout=20)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            # What it was told and has not read cannot be sent any more.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return code

    @property
    def pid(self) -> int:
        return self._process.pid

    def acknowledge(self) -> None:
        """Wait until it has done what it was told."""
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        kind, _, said = self._process.stdout.readline().rstrip("\n").partition(" ")
        assert kind == "ok", f"the other driver failed: {kind} {said}"
        return said

    def close(self) -> None:
        """Kill it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self.wait()


@contextlib.contextmanager
def other_driver(namespace: str) -> Iterator[OtherDriver]:
    """Run another driver, which is killed at the end if it has not ended before."""
    driver = OtherDriver(namespace)
    try:
        yield driver
    finally:
        driver.close()


def _serve(namespace: str) -> None:
    from tests.support import company, mortals  # noqa: PLC0415

    import callboard  # noqa: PLC0415 - the parent, which imports this module too, must not need it

    # What its actors write would be taken for its answers.
    callboard.init(namespace=namespace, log_to_driver=False)
    known: dict[str, Any] = {"ray": callboard, **vars(mortals), **vars(company)}
    print("ok", flush=True)  # noqa: T201 - this is how it answers
    for line in sys.stdin:
        known.pop("_said", None)
        try:
            exec(line, known)
        except Exception:  # noqa: BLE001 - the parent shows it
            print("failed", repr(traceback.format_exc()), flush=True)  # noqa: T201
            continue
        if "_leave" in known:
            return
        print("ok", known.get("_said", ""), flush=True)  # noqa: T201


if __name__ == "__main__":
    _serve(sys.argv[1])
