"""A call that is made while the actor restarts: without retries it raises, with them it waits.

Numbers: R4, R6
"""

import os
import pathlib

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes
        notes.add("born")
        if notes.count("born") == 2:
            until(pathlib.Path(f"{notes.path}-open").exists)

    def pid(self):
        return os.getpid()

    def work(self):
        return "worked"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
os.kill(ray.get(worker.pid.remote()), 9)
until(lambda: notes.count("born") == 2)
plain = worker.work.remote()
patient = worker.work.options(max_task_retries=1).remote()
print("ready before the restart:", ray.wait([patient], timeout=0)[0])
pathlib.Path(f"{notes.path}-open").touch()
print("without retries:", outcome(ray.get, plain))
print("with one:", outcome(ray.get, patient))
