"""get: one or many, timeouts, and what is no reference.

Numbers: A3
"""

import pathlib

import ray
from stagehand import Notes, outcome, until


@ray.remote
class Worker:
    def wait_for(self, path):
        until(pathlib.Path(path).exists)
        return "late"


ray.init()
gate = Notes().path + "-open"
ref = Worker.remote().wait_for.remote(gate)
print(outcome(ray.get, ref, timeout=0), outcome(ray.get, [ref], timeout=0.1))
try:
    ray.get(ref, timeout=0)
except TimeoutError as error:
    print("a TimeoutError:", isinstance(error, ray.exceptions.GetTimeoutError))
pathlib.Path(gate).touch()
print(ray.get(ref), ray.get([ref, ref]), ray.get([]), ray.get(ref, timeout=0))
print(outcome(ray.get, (ref,)), outcome(ray.get, 5), outcome(ray.get, [ref, 5]), outcome(ray.get, None))
