"""A hook that raises, or leaves in another way, does not keep its actor alive.

Numbers: G4
"""

import atexit
import os
import sys

import ray
from stagehand import Notes, alive, until


@ray.remote
class Worker:
    def __init__(self, notes, way):
        self.notes, self.way = notes, way
        atexit.register(notes.add, "atexit")

    def pid(self):
        return os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook")
        if self.way == "raises":
            raise ValueError(self.way)
        if self.way == "sys.exit":
            sys.exit(1)
        ray.actor.exit_actor()


ray.init()
for way in ("raises", "sys.exit", "exit_actor"):
    notes = Notes()
    worker = Worker.remote(notes, way)
    pid = ray.get(worker.pid.remote())
    del worker
    until(lambda pid=pid: not alive(pid))
    print(f"{way}:", notes.read())
