"""Defaults, positional and keyword arguments; wrong ones raise at .remote().

Numbers: A2
"""

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def __init__(self, start, *, step=1):
        self.start, self.step = start, step

    def all(self, a, b=2, *rest, c, d=4, **others):
        return a, b, rest, c, d, others, self.start, self.step


ray.init()
worker = Worker.remote(0, step=5)
print(ray.get(worker.all.remote(1, c=3)))
print(ray.get(worker.all.remote(1, 5, 6, 7, c=3, d=9, e=10)))
print(outcome(lambda: worker.all.remote()), outcome(lambda: worker.all.remote(1)), outcome(lambda: Worker.remote()))
print(outcome(lambda: Worker.remote(1, 2)), outcome(lambda: Worker.remote(1, nope=2)))
