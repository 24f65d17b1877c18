"""A process that dies every tenth call: restarts hide it until they are used up.

Numbers: R1, R5, R8
"""

import os

import ray
from stagehand import outcome


@ray.remote(max_restarts=2, max_task_retries=-1)
class Counter:
    def __init__(self):
        self.count = 0

    def add(self):
        if self.count == 10:
            os._exit(0)
        self.count += 1
        return self.count


ray.init()
counter = Counter.remote()
print([outcome(ray.get, counter.add.remote()) for _ in range(30)])
print([outcome(ray.get, counter.add.remote()) for _ in range(3)])
