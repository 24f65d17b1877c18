"""A queued call that is cancelled never runs, and those behind it go on.

Numbers: C6
Better: C6 in Ray the body may still run, and calls behind it may hang for 30 seconds.
"""

import pathlib

import ray
from stagehand import Notes, outcome, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def wait_for(self, path):
        self.notes.add("waits")
        until(pathlib.Path(path).exists)
        return "done"

    def work(self, number):
        self.notes.add(f"work {number}")
        return number


ray.init()
notes = Notes()
gate = f"{notes.path}-open"
worker = Worker.remote(notes)
running = worker.wait_for.remote(gate)
refs = [worker.work.remote(number) for number in range(3)]
notes.wait("waits")
ray.cancel(refs[1])
print("at once:", outcome(ray.get, refs[1], timeout=5))
pathlib.Path(gate).touch()
print(ray.get(running), outcome(ray.get, refs[0], timeout=10), outcome(ray.get, refs[2], timeout=10))
print(notes.read())
