"""Remote functions: references, nesting, several results, errors, handles as arguments.

Numbers: A9
"""

import ray
from stagehand import outcome, outcomes


@ray.remote
class Counter:
    def __init__(self):
        self.value = 0

    def add(self):
        self.value += 1
        return self.value


@ray.remote
def double(number):
    return number * 2


@ray.remote
def nest(number):
    return ray.get([double.remote(value) for value in range(number)])


@ray.remote
def use(counter):
    return ray.get(counter.add.remote())


@ray.remote(num_returns=2)
def pair():
    return "one", "two"


@ray.remote
def fail():
    raise ValueError("failed")


@ray.remote
def leave():
    ray.actor.exit_actor()


ray.init()
print(ray.get(double.remote(double.remote(3))), ray.get(nest.remote(3)))
counter = Counter.remote()
print(ray.get(use.remote(counter)), ray.get(counter.add.remote()))
print(ray.get(pair.remote()))
print(outcome(ray.get, fail.remote()), outcomes(ray.get, [double.remote(fail.remote())]))
print(outcome(double, 1), outcome(lambda: double.remote()), outcome(lambda: double.remote(1, 2)))
try:
    ray.get(leave.remote())
except TypeError as error:
    print("exit_actor:", isinstance(error, ray.exceptions.RayTaskError))
