"""A handle from get_actor keeps the actor when the creator's own handle is gone.

Numbers: H6
Better: H6 in Ray handles that were found by name are weak, and the actor ends under whoever uses them.
"""

import os

import ray
from stagehand import alive, eventually, outcome


@ray.remote
class Kept:
    def pid(self):
        return os.getpid()


ray.init()
kept = Kept.options(name="kept").remote()
pid = ray.get(kept.pid.remote())
found = ray.get_actor("kept")
del kept
print("gone:", eventually(lambda: not alive(pid), 2))
print("the found handle works:", outcome(ray.get, found.pid.remote()) == pid)
del found
print("gone with the last:", eventually(lambda: not alive(pid)))
