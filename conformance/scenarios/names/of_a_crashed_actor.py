"""The name of an actor that crashed is free, although somebody still has a handle.

Numbers: N3
Better: N3 in Ray the name stays taken, and get_actor returns the corpse, as long as there is any handle.
"""

import os

import ray
from stagehand import eventually, outcome


@ray.remote
class Named:
    def crash(self):
        os._exit(1)

    def ready(self):
        return "ready"


ray.init()
corpse = Named.options(name="one").remote()
print(outcome(ray.get, corpse.crash.remote()))
print("not found:", eventually(lambda: outcome(ray.get_actor, "one") == "ValueError", 3))
other = outcome(lambda: Named.options(name="one").remote())
print("another one:", other if isinstance(other, str) else ray.get(other.ready.remote()))
