"""Crashes: the running call raises, no hook runs.

Numbers: X4, G2
"""

import atexit
import ctypes
import os
import signal

import ray
from stagehand import Notes, outcome


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes
        atexit.register(notes.add, "atexit")

    def crash(self, way):
        if way == "os._exit":
            os._exit(0)
        if way == "abort":
            os.abort()
        if way == "segfault":
            ctypes.string_at(0)
        os.kill(os.getpid(), signal.SIGKILL)

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
for way in ("os._exit", "abort", "segfault", "SIGKILL"):
    notes = Notes()
    worker = Worker.remote(notes)
    print(
        f"{way}:", outcome(ray.get, worker.crash.remote(way)), outcome(ray.get, worker.crash.remote(way)), notes.read()
    )
