"""SIGTERM from outside: the hook and atexit handlers run, and it counts as a crash.

Numbers: X4, G2
"""

import atexit
import os
import signal

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes
        notes.add("born")
        atexit.register(notes.add, "atexit")

    def pid(self):
        return os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
notes = Notes()
worker = Worker.remote(notes)
pid = ray.get(worker.pid.remote())
os.kill(pid, signal.SIGTERM)
until(lambda: notes.count("born") == 2)
again = until(lambda: isinstance(found := outcome(ray.get, worker.pid.remote()), int) and found)
print("another process:", again != pid)
print(notes.read())
