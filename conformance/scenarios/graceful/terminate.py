"""__ray_terminate__ is a call like others: those before it finish, those after it raise, the hook runs.

Numbers: G1, G2
"""

import atexit

import ray
from stagehand import Notes, outcome, outcomes


@ray.remote(max_restarts=-1)
class Worker:
    def __init__(self, notes):
        self.notes = notes
        notes.add("born")
        atexit.register(notes.add, "atexit")

    def work(self, number):
        self.notes.add(f"work {number}")
        return number

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
notes = Notes()
worker = Worker.remote(notes)
before = [worker.work.remote(number) for number in range(3)]
end = worker.__ray_terminate__.remote()
after = [worker.work.remote(number) for number in (7, 8)]
print(ray.get(before), outcome(ray.get, end), outcomes(ray.get, after))
notes.wait("atexit")
print("again:", outcome(ray.get, worker.__ray_terminate__.remote()))
print(notes.read())
