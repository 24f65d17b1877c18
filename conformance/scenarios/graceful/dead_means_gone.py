"""While the hook runs the actor is not DEAD.

Numbers: G6, L2
Better: G6 Ray says DEAD while the process is still at work.
"""

import os
import pathlib

import ray
from ray.util.state import get_actor as look
from stagehand import Notes, alive, eventually, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def who(self):
        return ray.get_runtime_context().get_actor_id(), os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook")
        until(pathlib.Path(f"{self.notes.path}-open").exists)


ray.init()
notes = Notes()
worker = Worker.remote(notes)
identity, pid = ray.get(worker.who.remote())
del worker
notes.wait("hook")
print("dead:", bool(eventually(lambda: look(identity).state == "DEAD", 1)), "there:", alive(pid))
pathlib.Path(f"{notes.path}-open").touch()
until(lambda: look(identity).state == "DEAD")
print("dead, there:", alive(pid))
