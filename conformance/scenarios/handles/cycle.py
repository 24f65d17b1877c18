"""An actor that holds itself is not collected.

Numbers: H9
"""

import os

import ray
from stagehand import alive, until


@ray.remote
class Self:
    def keep(self, things):
        self.things = things
        return os.getpid()


ray.init()
one, two = Self.remote(), Self.remote()
kept = ray.get(one.keep.remote([one]))
free = ray.get(two.keep.remote([]))
del one, two
until(lambda: not alive(free))
print("the one that holds itself lives:", alive(kept))
