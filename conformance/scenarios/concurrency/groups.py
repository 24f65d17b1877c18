"""Each concurrency group has its own limit, and a method or a call names its group.

Numbers: C3
"""

import threading

import ray


@ray.remote(concurrency_groups={"io": 2, "compute": 1})
class Grouped:
    def __init__(self):
        self.barrier = threading.Barrier(2)
        self.blocked = threading.Event()

    @ray.method(concurrency_group="io")
    def meet(self):
        self.barrier.wait(20)
        return "met"

    @ray.method(concurrency_group="compute")
    def block(self):
        return self.blocked.wait(20)

    def release(self):
        self.blocked.set()
        return "released"


ray.init()
grouped = Grouped.remote()
blocked = grouped.block.remote()
print(ray.get([grouped.meet.remote() for _ in range(2)]))
print(ray.get(grouped.release.options(concurrency_group="io").remote()), ray.get(blocked))
print(ray.get(grouped.release.remote()))
