"""Bytes of a pickled handle give a handle as long as the actor lives, and do not keep it alive.

Numbers: H7, H8
"""

import os
import pickle

import ray
from stagehand import alive, eventually


@ray.remote
class Kept:
    def pid(self):
        return os.getpid()


ray.init()
kept = Kept.remote()
pid = ray.get(kept.pid.remote())
said = pickle.dumps(kept)
copy = pickle.loads(said)
print("the copy works:", ray.get(copy.pid.remote()) == pid, copy == kept)
del kept
print("the copy counts:", ray.get(copy.pid.remote()) == pid)
del copy
print("gone:", eventually(lambda: not alive(pid), 5))
