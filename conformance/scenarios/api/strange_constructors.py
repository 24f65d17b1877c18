"""An exception whose constructor wants other arguments than its args arrives as itself.

Numbers: A4
Better: A4 in Ray it arrives as an error about serialization, which is of another class.
"""

import ray


class Strange(Exception):
    def __init__(self, one, two):
        super().__init__("strange")
        self.pair = one, two


@ray.remote
class Worker:
    def fail(self):
        raise Strange(1, 2)


ray.init()
try:
    ray.get(Worker.remote().fail.remote())
except ray.exceptions.RayError as error:
    print(isinstance(error, Strange), getattr(error, "pair", None))
