"""The name of a killed actor can be taken at once, again and again.

Numbers: K5
"""

import ray
from stagehand import outcome


@ray.remote
class Named:
    def __init__(self, number):
        self.number = number

    def which(self):
        return self.number


ray.init()
for number in range(5):
    named = Named.options(name="same", get_if_exists=number > 2).remote(number)
    print(ray.get(named.which.remote()), end=" ")
    ray.kill(named)
print()
print("found after kill:", outcome(ray.get_actor, "same"))
