"""Arguments and results that cannot be pickled, and arguments that cannot be unpickled; the actor lives.

Numbers: A4
"""

import threading

import ray
from stagehand import outcome


def refuse():
    raise ValueError("not here")


class Refusing:
    def __reduce__(self):
        return refuse, ()


@ray.remote
class Worker:
    def take(self, value):
        return "taken"

    def give(self):
        return threading.Lock()


ray.init()
worker = Worker.remote()
print("argument:", outcome(lambda: worker.take.remote(threading.Lock())))
try:
    ray.get(worker.give.remote())
except ray.exceptions.RayTaskError as error:
    print("result:", isinstance(error, TypeError))
try:
    ray.get(worker.take.remote(Refusing()))
except ray.exceptions.RayError as error:
    print("unpickling:", isinstance(error, ray.exceptions.RayTaskError))
print(ray.get(worker.take.remote(1)))
