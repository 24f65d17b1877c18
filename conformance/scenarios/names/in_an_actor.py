"""Inside an actor names are looked up in the namespace of the driver.

Numbers: N1, A7
"""

import os

import ray


@ray.remote
class Named:
    def find(self, name):
        return ray.get_actor(name)

    def where(self):
        return ray.get_runtime_context().namespace


space = f"inside-{os.getpid()}"
ray.init(namespace=space)
one = Named.options(name="one").remote()
two = Named.remote()
print("found:", ray.get(two.find.remote("one")) == one)
print("namespace:", ray.get(two.where.remote()) == space)
