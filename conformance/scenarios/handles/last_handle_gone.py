"""The last handle goes: calls made before that run, the hook runs, the process ends.

Numbers: H1, G2
"""

import atexit
import os

import ray
from stagehand import Notes, alive, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes
        atexit.register(notes.add, "atexit")

    def work(self, number):
        self.notes.add(f"work {number}")
        return number

    def pid(self):
        return os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
notes = Notes()
worker = Worker.remote(notes)
pid = ray.get(worker.pid.remote())
refs = [worker.work.remote(number) for number in range(5)]
del worker
print("results:", ray.get(refs))
until(lambda: not alive(pid))
print("notes:", notes.read())
