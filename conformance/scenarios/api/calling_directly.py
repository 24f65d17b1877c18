"""Actor classes and methods are not called directly; unknown methods are no attributes.

Numbers: A2
"""

import ray
from stagehand import outcome


@ray.remote
class Worker:
    attribute = 5

    def work(self):
        return "worked"

    def _private(self):
        return "private"


ray.init()
worker = Worker.remote()
print(outcome(Worker), outcome(worker.work), outcome(lambda: worker.nothing), outcome(lambda: worker.attribute))
print(ray.get(worker._private.remote()), hasattr(worker, "work"), hasattr(worker, "nothing"))
for what in (5, "name", None):
    print(type(what).__name__, isinstance(outcome(ray.remote, what), str))
