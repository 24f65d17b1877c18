"""A constructor that raises on a restart ends the actor, whatever restarts are left.

Numbers: X6, R1
"""

import os

import ray
from stagehand import Notes, outcome


@ray.remote(max_restarts=5, max_task_retries=5)
class Worker:
    def __init__(self, notes):
        notes.add("constructor")
        if notes.count("constructor") == 2:
            raise RuntimeError("the second time")

    def crash(self):
        os._exit(1)


ray.init()
notes = Notes()
worker = Worker.remote(notes)
try:
    ray.get(worker.crash.remote())
except ray.exceptions.RayActorError as error:
    print(type(error).__name__, error.actor_init_failed)
print(outcome(ray.get, worker.crash.remote()), notes.read())
