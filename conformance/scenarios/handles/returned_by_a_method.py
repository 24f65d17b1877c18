"""A handle that a method returns keeps the actor although its maker has dropped it.

Numbers: H4
"""

import os

import ray
from stagehand import alive, until


@ray.remote
class Kept:
    def pid(self):
        return os.getpid()


@ray.remote
class Factory:
    def make(self):
        return Kept.remote()

    def nothing(self):
        return None


ray.init()
factory = Factory.remote()
kept = ray.get(factory.make.remote())
pid = ray.get(kept.pid.remote())
ray.get([factory.nothing.remote() for _ in range(5)])
print("works:", ray.get(kept.pid.remote()) == pid)
del kept
until(lambda: not alive(pid))
print("gone with the handle")
