"""A constructor that crashes or calls sys.exit(1) is run again; one that exits on purpose is not.

Numbers: X6, R1
"""

import os
import sys

import ray
from stagehand import Notes, outcome

WAYS = {
    "os._exit(1)": lambda: os._exit(1),
    "sys.exit(1)": lambda: sys.exit(1),
    "sys.exit(0)": lambda: sys.exit(0),
    "exit_actor": lambda: ray.actor.exit_actor(),
}


@ray.remote(max_restarts=2, max_task_retries=-1)
class Worker:
    def __init__(self, notes, way):
        notes.add("constructor")
        if notes.count("constructor") < 3:
            WAYS[way]()

    def work(self):
        return "worked"


ray.init()
for way in WAYS:
    notes = Notes()
    worker = Worker.remote(notes, way)
    print(f"{way}:", outcome(ray.get, worker.work.remote()), notes.count("constructor"))
