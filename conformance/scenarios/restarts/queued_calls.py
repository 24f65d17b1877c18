"""Calls that wait behind one that crashes have not started: they run after the restart, and are not charged.

Numbers: R6
Better: R6 in Ray they fail with the one that crashed.
"""

import os
import pathlib

import ray
from stagehand import Notes, outcome, outcomes, until


@ray.remote(max_restarts=1)
class Worker:
    def crash(self, path):
        until(pathlib.Path(path).exists)
        os._exit(1)

    def work(self, number):
        return number

    def ready(self):
        return True


ray.init()
notes = Notes()
gate = f"{notes.path}-open"
worker = Worker.remote()
ray.get(worker.ready.remote())
crashed = worker.crash.remote(gate)
queued = [worker.work.remote(number) for number in range(5)]
pathlib.Path(gate).touch()
print("crashed:", outcome(ray.get, crashed))
print("queued:", outcomes(ray.get, queued))
