"""A call whose retries are used up raises; the actor lives and the next calls go on.

Numbers: R8
"""

import os

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=5, max_task_retries=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def crash(self):
        self.notes.add("crash")
        os._exit(1)

    def ready(self):
        return "ready"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
print(outcome(ray.get, worker.crash.remote()), notes.count("crash"))
print(until(lambda: (found := outcome(ray.get, worker.ready.remote())) != "ActorUnavailableError" and found))
