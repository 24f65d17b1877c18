"""sys.exit with a code is a crash after which the hook has run; sys.exit(0) is intended.

Numbers: X3, G2
"""

import sys

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes
        notes.add("born")

    def leave(self, code):
        sys.exit(code)

    def ready(self):
        return "ready"

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
for code in (3, 0):
    notes = Notes()
    worker = Worker.remote(notes)
    print(f"sys.exit({code}):", outcome(ray.get, worker.leave.remote(code)))
    last = until(lambda: (found := outcome(ray.get, worker.ready.remote())) != "ActorUnavailableError" and found)
    print("afterwards:", last, notes.read())
