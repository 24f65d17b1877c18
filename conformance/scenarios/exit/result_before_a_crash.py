"""The result of a call that had finished is not lost when the process crashes in the next call, 30 times.

Numbers: X4, R7
Better: X4 in Ray the result before a crash is lost now and then.
"""

import os

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def work(self):
        return "worked"

    def crash(self):
        os._exit(1)


ray.init()
found = set()
for _ in range(30):
    worker = Worker.remote()
    done, crashed = worker.work.remote(), worker.crash.remote()
    found.add((outcome(ray.get, done), outcome(ray.get, crashed)))
print(found)
