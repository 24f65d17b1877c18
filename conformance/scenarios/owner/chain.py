"""The root of a chain of owners is killed: all of them are gone.

Numbers: O2
"""

import os

import ray
from stagehand import alive, until


@ray.remote
class Link:
    def grow(self, more):
        if not more:
            return [os.getpid()]
        self.next = Link.remote()
        return [os.getpid(), *ray.get(self.next.grow.remote(more - 1))]


ray.init()
root = Link.remote()
pids = ray.get(root.grow.remote(3))
print(len(pids), all(alive(pid) for pid in pids))
ray.kill(root)
until(lambda: not any(alive(pid) for pid in pids))
print("all gone")
