"""get_if_exists gives the living actor of that name, whatever its arguments were, or makes it.

Numbers: N1, N2
"""

import ray
from stagehand import outcome


@ray.remote
class Named:
    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value


ray.init()
first = Named.options(name="one", get_if_exists=True).remote(1)
second = Named.options(name="one", get_if_exists=True).remote(2)
print(first == second, ray.get(second.get.remote()))
print("without a name:", outcome(lambda: Named.options(get_if_exists=True).remote(1)))
ray.kill(first)
print("after kill:", ray.get(Named.options(name="one", get_if_exists=True).remote(3).get.remote()))
