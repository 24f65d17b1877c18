"""Names are per namespace; list_named_actors tells them.

Numbers: N1
"""

import os

import ray
from ray.util import list_named_actors
from stagehand import outcome


@ray.remote
class Named:
    def where(self):
        return ray.get_runtime_context().namespace


space = f"space-{os.getpid()}"
ray.init(namespace=space)
print("mine:", ray.get_runtime_context().namespace == space)
here = Named.options(name="one").remote()
there = Named.options(name="one", namespace=f"{space}-b").remote()
print("two actors of one name:", here != there)
print("each is found:", ray.get_actor("one") == here, ray.get_actor("one", f"{space}-b") == there)
print("not elsewhere:", outcome(ray.get_actor, "one", f"{space}-c"))
ray.get([here.where.remote(), there.where.remote()])
print("names here:", list_named_actors())
everywhere = list_named_actors(all_namespaces=True)
found = sorted(entry["namespace"] for entry in everywhere if entry["namespace"].startswith(space))
print("everywhere:", [name.removeprefix(space) for name in found])
