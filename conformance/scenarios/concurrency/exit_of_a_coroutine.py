"""sys.exit in a coroutine ends the actor.

Numbers: X3, C2
Better: X3 in Ray the actor stays ALIVE, and every later call hangs for ever.
"""

import sys

import ray
from stagehand import outcome


@ray.remote
class Worker:
    async def leave(self):
        sys.exit(3)

    async def ready(self):
        return "ready"


ray.init()
worker = Worker.remote()
print(ray.get(worker.ready.remote()))
print(outcome(ray.get, worker.leave.remote(), timeout=5))
print(outcome(ray.get, worker.ready.remote(), timeout=5))
