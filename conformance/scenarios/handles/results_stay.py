"""Results can be read after their actor is gone.

Numbers: H1, O7
"""

import os

import ray
from stagehand import alive, until


@ray.remote
class Maker:
    def pid(self):
        return os.getpid()

    def make(self, size):
        return b"x" * size


ray.init()
maker = Maker.remote()
pid = ray.get(maker.pid.remote())
small, large = maker.make.remote(10), maker.make.remote(2_000_000)
ray.wait([small, large], num_returns=2)
del maker
until(lambda: not alive(pid))
print(len(ray.get(small)), len(ray.get(large)), len(ray.get(large)))
