"""Without retries a call that had started raises: unavailable if the actor restarts, dead if it does not.

Numbers: R4, R1
"""

import os

import ray
from stagehand import Notes, outcome, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def crash(self):
        self.notes.add("crash")
        os._exit(1)

    def ready(self):
        return "ready"


ray.init()
for restarts in (1, 0):
    notes = Notes()
    worker = Worker.options(max_restarts=restarts).remote(notes)
    try:
        ray.get(worker.crash.remote())
    except ray.exceptions.RayActorError as error:
        print(f"max_restarts={restarts}:", type(error).__name__, notes.read())
    last = until(lambda: (found := outcome(ray.get, worker.ready.remote())) != "ActorUnavailableError" and found)
    print("afterwards:", last)
