"""A handle and a reference of a callboard that was left raise, and start nothing.

Numbers: A1
Better: A1 Ray silently starts a new cluster.
"""

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def work(self):
        return "worked"


ray.init()
worker = Worker.remote()
ref = worker.work.remote()
print(ray.get(ref))
ray.shutdown()
pending = outcome(worker.work.remote)
print("an error:", isinstance(pending, str))
print("joined again:", ray.is_initialized())
