"""The process that holds the last handle is killed: the actor ends.

Numbers: H5
"""

import os

import ray
from stagehand import alive, until


@ray.remote
class Kept:
    def pid(self):
        return os.getpid()


@ray.remote
class Keeper:
    def keep(self, things):
        self.things = things


ray.init()
kept = Kept.remote()
keeper = Keeper.remote()
pid = ray.get(kept.pid.remote())
ray.get(keeper.keep.remote([kept]))
del kept
print("kept:", alive(pid))
ray.kill(keeper)
until(lambda: not alive(pid))
print("gone with its keeper")
