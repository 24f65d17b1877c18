"""A call whose result was delivered is not run again by a restart.

Numbers: R7
"""

import os

import ray
from stagehand import Notes


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def work(self, number):
        self.notes.add(f"work {number}")
        return number

    def crash(self):
        self.notes.add("crash")
        if self.notes.count("crash") == 1:
            os._exit(1)
        return "survived"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
print(ray.get([worker.work.remote(number) for number in range(3)]))
print(ray.get(worker.crash.remote()))
print(ray.get(worker.work.remote(3)))
print(notes.read())
