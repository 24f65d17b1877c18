"""A call for a group that does not exist is an error of that call.

Numbers: C3
Better: C3 in Ray it crashes the process of the actor.
"""

import ray
from stagehand import eventually, outcome


@ray.remote(concurrency_groups={"io": 2})
class Grouped:
    def ready(self):
        return "ready"


ray.init()
grouped = Grouped.remote()
print(ray.get(grouped.ready.remote()))
method = outcome(lambda: grouped.ready.options(concurrency_group="nope"))
print("an error:", isinstance(method, str) or outcome(lambda: ray.get(method.remote())) != "ready")
print("the actor lives:", eventually(lambda: outcome(ray.get, grouped.ready.remote()) == "ready", 2))
