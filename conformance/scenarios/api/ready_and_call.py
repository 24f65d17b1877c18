"""__ray_ready__ and __ray_call__ work on every actor.

Numbers: A2
"""

import ray


@ray.remote
class Worker:
    def __init__(self, value):
        self.value = value


ray.init()
worker = Worker.remote(5)
print(ray.get(worker.__ray_ready__.remote()))
print(ray.get(worker.__ray_call__.remote(lambda self, more: self.value + more, 10)))
