"""A hook that takes longer than actor_graceful_shutdown_timeout_ms is ended with its process.

Numbers: G5
Better: G5 Ray takes the limit, and lets the hook run on.
Alone: the limit is set for all.
"""

import os
import threading

import ray
from stagehand import Notes, alive, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def pid(self):
        return os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook begins")
        threading.Event().wait(8)
        self.notes.add("hook ends")


ray.init(_system_config={"actor_graceful_shutdown_timeout_ms": 500})
notes = Notes()
worker = Worker.remote(notes)
pid = ray.get(worker.pid.remote())
del worker
until(lambda: not alive(pid), 30)
print(notes.read())
