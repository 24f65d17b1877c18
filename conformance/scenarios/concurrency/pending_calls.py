"""max_pending_calls limits the unfinished calls of a caller.

Numbers: C4
"""

import pathlib

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_pending_calls=3)
class Busy:
    def wait_for(self, path):
        until(pathlib.Path(path).exists)
        return "done"


ray.init()
gate = Notes().path + "-open"
busy = Busy.remote()
refs = [busy.wait_for.remote(gate) for _ in range(3)]
print("one more:", outcome(lambda: busy.wait_for.remote(gate)))
pathlib.Path(gate).touch()
print(ray.get(refs))
print("afterwards:", until(lambda: (found := outcome(lambda: ray.get(busy.wait_for.remote(gate)))) == "done" and found))
