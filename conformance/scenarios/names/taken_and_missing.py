"""A taken name, a missing one, and values that are no names.

Numbers: N1, N2
"""

import ray
from stagehand import outcome


@ray.remote
class Named:
    def hello(self):
        return "hello"


ray.init()
named = Named.options(name="one").remote()
print("found:", ray.get(ray.get_actor("one").hello.remote()))
print("the same:", ray.get_actor("one") == named)
try:
    Named.options(name="one").remote()
except ValueError as error:
    print("taken:", type(error).__name__)
print("missing:", outcome(ray.get_actor, "two"))
print("empty:", outcome(lambda: Named.options(name="").remote()), outcome(ray.get_actor, ""))
print("no string:", outcome(lambda: Named.options(name=5).remote()), outcome(ray.get_actor, 5))
print("empty namespace:", outcome(lambda: Named.options(name="x", namespace="").remote()))
