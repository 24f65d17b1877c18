"""sys.exit() is intended, as in any Python program: no restart.

Numbers: X3
Better: X3 in Ray sys.exit() counts as a crash, although its exit code is 0.
"""

import sys

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=1)
class Worker:
    def __init__(self, notes):
        notes.add("born")

    def leave(self):
        sys.exit()

    def ready(self):
        return "ready"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
print("leave:", outcome(ray.get, worker.leave.remote()))
last = until(lambda: (found := outcome(ray.get, worker.ready.remote())) != "ActorUnavailableError" and found)
print("afterwards:", last, notes.read())
