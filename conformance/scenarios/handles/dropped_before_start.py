"""A handle dropped before the process is up: its call still runs; without a call nothing need run.

Numbers: H2, H3
"""

import ray
from stagehand import Notes


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def work(self):
        self.notes.add("worked")
        return "done"


ray.init()
notes = Notes()
worker = Worker.remote(notes)
ref = worker.work.remote()
del worker
print("with a call:", ray.get(ref))
print("in one expression:", ray.get(Worker.remote(notes).work.remote()))
Worker.remote(notes)
notes.wait("worked")
print("notes:", notes.read())
