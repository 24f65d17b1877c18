"""A constructor that raises: calls show its traceback, and it is not tried again.

Numbers: X6
"""

import ray
from stagehand import Notes, outcome


@ray.remote(max_restarts=2, max_task_retries=-1)
class Worker:
    def __init__(self, notes):
        notes.add("constructor")
        raise RuntimeError("no such luck")

    def work(self):
        return "worked"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
try:
    ray.get(worker.work.remote())
except ray.exceptions.RayActorError as error:
    print(type(error).__name__, error.actor_init_failed, "RuntimeError: no such luck" in str(error))
    print("it names the line:", 'raise RuntimeError("no such luck")' in str(error))
print("later:", outcome(ray.get, worker.work.remote()))
print(notes.read())
