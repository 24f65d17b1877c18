"""The hook can be called like a method, and still runs at the end.

Numbers: G3
"""

import os

import ray
from stagehand import Notes, alive, outcome, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def pid(self):
        return os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook")
        return "called"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
pid = ray.get(worker.pid.remote())
print(outcome(lambda: ray.get(worker.__ray_shutdown__.remote())))
del worker
until(lambda: not alive(pid))
print(notes.read())
