"""A serial actor that waits for its own later call gets an error.

Numbers: C7
Better: C7 in Ray it waits for ever.
"""

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def wait_for_itself(self):
        myself = ray.get_runtime_context().current_actor
        return ray.get(myself.work.remote())

    def work(self):
        return "worked"


ray.init()
worker = Worker.remote()
found = outcome(ray.get, worker.wait_for_itself.remote(), timeout=5)
print("an error in time:", found not in {"GetTimeoutError", "worked"})
