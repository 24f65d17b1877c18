"""A handle that is only an argument of a queued call keeps its actor until that call has run.

Numbers: H4
"""

import os
import pathlib

import ray
from stagehand import Notes, alive, until


@ray.remote
class Kept:
    def pid(self):
        return os.getpid()


@ray.remote
class Busy:
    def wait_for(self, path):
        until(pathlib.Path(path).exists)

    def use(self, kept):
        return ray.get(kept.pid.remote())


ray.init()
notes = Notes()
gate = notes.path + "-open"
busy, kept = Busy.remote(), Kept.remote()
pid = ray.get(kept.pid.remote())
blocked = busy.wait_for.remote(gate)
ref = busy.use.remote(kept)
del kept
print("alive while the call waits:", alive(pid))
pathlib.Path(gate).touch()
print("the call reaches it:", ray.get(ref) == pid)
until(lambda: not alive(pid))
print("gone after the call")
