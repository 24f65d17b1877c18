"""After kill the running, the queued and all later calls raise; no hook runs and the process is gone.

Numbers: K1, K2, G2
"""

import atexit
import os
import threading

import ray
from stagehand import Notes, alive, outcome, outcomes, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes
        atexit.register(notes.add, "atexit")

    def pid(self):
        return os.getpid()

    def block(self):
        self.notes.add("blocked")
        threading.Event().wait()

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
notes = Notes()
worker = Worker.remote(notes)
pid = ray.get(worker.pid.remote())
running = worker.block.remote()
queued = [worker.pid.remote() for _ in range(3)]
notes.wait("blocked")
print("kill returns:", ray.kill(worker))
print("running:", outcome(ray.get, running))
print("queued:", outcomes(ray.get, queued))
until(lambda: not alive(pid))
print("later:", outcome(ray.get, worker.pid.remote()))
print("again:", ray.kill(worker))
print("notes:", notes.read())
