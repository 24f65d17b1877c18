"""The state API shows what a constructor raised.

Numbers: L2, X6
Better: L2 Ray has a base64 text of a pickle there.
"""

import json

import ray
from ray.util.state import list_actors
from stagehand import outcome, until


@ray.remote
class Worker:
    def __init__(self):
        raise RuntimeError("no such luck")

    def work(self):
        return "worked"


ray.init()
worker = Worker.remote()
print(outcome(ray.get, worker.work.remote()))
mine = [("job_id", "=", ray.get_runtime_context().get_job_id())]
found = until(lambda: [actor for actor in list_actors(filters=mine, detail=True) if actor.state == "DEAD"])[0]
print("readable:", "no such luck" in json.dumps(found.death_cause))
