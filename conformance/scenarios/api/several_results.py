"""num_returns gives so many references; too few or too many values, and an error, are in each of them.

Numbers: A6
"""

import ray
from stagehand import outcome, outcomes


@ray.remote
class Worker:
    @ray.method(num_returns=2)
    def pair(self):
        return 1, 2

    def many(self, number):
        return list(range(number))

    @ray.method(num_returns=2)
    def fail(self):
        raise ValueError("failed")


ray.init()
worker = Worker.remote()
one, two = worker.pair.remote()
print(ray.get(two), ray.get(one))
print(ray.get(worker.many.options(num_returns=3).remote(3)))
print(outcomes(ray.get, worker.many.options(num_returns=3).remote(2)))
print(outcomes(ray.get, worker.fail.remote()))
print(worker.many.options(num_returns=0).remote(2), outcome(ray.get, worker.many.remote(2)))
