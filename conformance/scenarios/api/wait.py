"""wait: what is ready, in the given order; failed calls are ready; bad arguments raise.

Numbers: A3
"""

import pathlib

import ray
from stagehand import Notes, outcome, until


@ray.remote
class Worker:
    def wait_for(self, path):
        until(pathlib.Path(path).exists)

    def fail(self):
        raise ValueError("failed")


ray.init()
gate = Notes().path + "-open"
slow, quick = Worker.remote().wait_for.remote(gate), Worker.remote().fail.remote()
ready, others = ray.wait([slow, quick])
print(ready == [quick], others == [slow])
print(ray.wait([slow], timeout=0) == ([], [slow]))
pathlib.Path(gate).touch()
print(ray.wait([slow, quick], num_returns=2) == ([slow, quick], []))
print(outcome(ray.wait, slow), outcome(ray.wait, [slow, slow]), outcome(ray.wait, [slow], num_returns=2))
print(outcome(ray.wait, [slow], num_returns=0), outcome(ray.wait, [5]), ray.wait([]))
print(outcome(ray.wait, [slow], timeout=-1))
