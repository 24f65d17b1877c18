"""Four client processes that call the same four actors."""

from __future__ import annotations

import secrets
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import CALLS, Measure, Sample, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

_NUMBER: Final = 4


@contextmanager
def client(module: str, names: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a client process and end it."""
    command = [sys.executable, "-m", "bench.client", module, *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            _pipe(process.stdin).close()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _heard(process: subprocess.Popen[str]) -> str:
    line = _pipe(process.stdout).readline()
    if not line:
        raise RuntimeError(f"a client process ended with {process.wait()}; its last words are on standard error")
    return line


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    names = [f"shared-{secrets.token_hex(4)}" for _ in range(_NUMBER)]
    actors = [ray.remote(Counter).options(name=name).remote() for name in names]
    ray.get([actor.add.remote() for actor in actors])
    with ExitStack() as stack:
        clients = [stack.enter_context(client(ray.__name__, names)) for _ in range(_NUMBER)]
        for process in clients:
            _heard(process)

        def measure(seconds: float) -> Sample:
            for process in clients:
                _pipe(process.stdin).write(f"{seconds}\n")
                _pipe(process.stdin).flush()
            return {CALLS: sum(float(_heard(process)) for process in clients)}

        yield measure


WORKLOADS: Final = (Workload("pipelined/4x4", "4 clients, 4 actors, pipelined", _prepare),)
