"""kill with no_restart=False restarts an actor that has restarts left, and ends one that has none.

Numbers: K3, R4
"""

import os
import threading

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes
        notes.add("born")

    def block(self):
        self.notes.add("blocked")
        threading.Event().wait()

    def pid(self):
        return os.getpid()


ray.init()
notes = Notes()
worker = Worker.remote(notes)
pid = ray.get(worker.pid.remote())
running = worker.block.remote()
notes.wait("blocked")
ray.kill(worker, no_restart=False)
print("running:", outcome(ray.get, running))
until(lambda: notes.count("born") == 2)
again = until(lambda: (found := outcome(ray.get, worker.pid.remote())) != "ActorUnavailableError" and found)
print("another process:", again != pid)
ray.kill(worker, no_restart=False)
until(lambda: outcome(ray.get, worker.pid.remote()) == "ActorDiedError")
print("none left:", outcome(ray.get, worker.pid.remote()), notes.count("born"))
