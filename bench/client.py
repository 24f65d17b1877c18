"""A client process of its own: ``python -m bench.client MODULE ACTOR...``. Measures once per line that it reads."""

from __future__ import annotations

import importlib
import sys
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from bench.workload import CALLS, in_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_FLIGHT: Final = 1_000
NAMESPACE: Final = "bench"


def main(module: str, names: Sequence[str]) -> None:
    """Join what the environment names, find the actors, and call all of them in turn."""
    ray = importlib.import_module(module)
    ray.init(namespace=NAMESPACE, log_to_driver=False)
    actors = [ray.get_actor(name) for name in names]

    def batch() -> None:
        ray.get([actor.add.remote() for actor in islice(cycle(actors), IN_FLIGHT)])

    batch()
    _say("ready")
    for line in sys.stdin:
        _say(str(in_batches(batch, IN_FLIGHT, float(line))[CALLS]))
    ray.shutdown()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
