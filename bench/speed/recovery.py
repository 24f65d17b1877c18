"""From SIGKILL of an actor's process to the next result."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.actors import Counter
from bench.workload import MILLISECONDS, Measure, Sample, Workload, pause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

#: Seconds that a process must have lived: the next is started at once only after one that did not die young.
_AGE: Final = 1.2


@contextmanager
def _prepare(ray: ModuleType) -> Iterator[Measure]:
    counter = ray.remote(max_restarts=-1, max_task_retries=-1)(Counter).remote()

    def measure(_: float) -> Sample:
        pid = ray.get(counter.pid.remote())
        pause(_AGE)
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        # The first calls after a kill may still reach the dying process; only another one's answer counts.
        while ray.get(counter.pid.remote()) == pid:
            pass
        return {MILLISECONDS: (time.perf_counter() - began) * 1000}

    yield measure


WORKLOADS: Final = (Workload("recovery", "SIGKILL to next result", _prepare),)
