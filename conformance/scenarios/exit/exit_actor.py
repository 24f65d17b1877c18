"""exit_actor: calls before it have run, it and later ones raise, the hook runs, and there is no restart.

Numbers: X1, G2
"""

import atexit

import ray
from stagehand import Notes, outcome, outcomes


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Worker:
    def __init__(self, notes):
        self.notes = notes
        notes.add("born")
        atexit.register(notes.add, "atexit")

    def work(self, number):
        self.notes.add(f"work {number}")
        return number

    def leave(self):
        ray.actor.exit_actor()

    def __ray_shutdown__(self):
        self.notes.add("hook")


ray.init()
notes = Notes()
worker = Worker.remote(notes)
before = [worker.work.remote(number) for number in range(3)]
leaving = worker.leave.remote()
after = [worker.work.remote(number) for number in (7, 8)]
print("before:", ray.get(before))
try:
    ray.get(leaving)
except ray.exceptions.ActorDiedError as error:
    print("leaving:", "exit_actor() is called" in str(error))
print("after:", outcomes(ray.get, after), outcome(ray.get, worker.work.remote(9)))
notes.wait("atexit")
print(notes.read())
