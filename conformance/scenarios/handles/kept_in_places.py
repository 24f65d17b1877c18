"""A handle keeps its actor in another actor, in an object, in a bound method, and no longer.

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
class Keeper:
    def __init__(self):
        self.kept = None

    def keep(self, things):
        self.kept = things

    def ask(self):
        return ray.get(self.kept["there"][0].pid.remote())

    def drop(self):
        self.kept = None


ray.init()
keeper = Keeper.remote()

kept = Kept.remote()
pid = ray.get(kept.pid.remote())
ray.get(keeper.keep.remote({"there": [kept]}))
del kept
print("another actor reaches it:", ray.get(keeper.ask.remote()) == pid)
ray.get(keeper.drop.remote())
until(lambda: not alive(pid))
print("it ends when the actor drops it")

kept = Kept.remote()
pid = ray.get(kept.pid.remote())
box = ray.put([kept])
del kept
print("it is in the object:", ray.get(ray.get(box)[0].pid.remote()) == pid)
del box
until(lambda: not alive(pid))
print("it ends with the object")

kept = Kept.remote()
method = kept.pid
del kept
pid = ray.get(method.remote())
print("a bound method keeps it:", alive(pid))
del method
until(lambda: not alive(pid))
print("it ends with the method")
