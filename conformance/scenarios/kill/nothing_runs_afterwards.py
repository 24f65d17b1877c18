"""A call that is made after kill has returned does not run, in 20 attempts.

Numbers: K2
Better: K2 in Ray kill is a message among others, and some calls that are made after it still run.
"""

import ray
from stagehand import Notes, outcome


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def ready(self):
        return True

    def late(self):
        self.notes.add("late")
        return "ran"


ray.init()
notes = Notes()
found = set()
for _ in range(20):
    worker = Worker.remote(notes)
    ray.get(worker.ready.remote())
    ray.kill(worker)
    found.add(outcome(ray.get, worker.late.remote()))
print(found, notes.count("late"))
