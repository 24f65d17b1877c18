"""An actor is killed while its constructor runs: it never ran, and pending calls raise.

Numbers: K6, L2
"""

import threading

import ray
from stagehand import Notes, outcomes


@ray.remote(max_restarts=-1)
class Slow:
    def __init__(self, notes):
        notes.add("constructor")
        threading.Event().wait()

    def work(self):
        return "worked"


ray.init()
notes = Notes()
slow = Slow.remote(notes)
refs = [slow.work.remote() for _ in range(2)]
notes.wait("constructor")
ray.kill(slow)
print(outcomes(ray.get, refs))
try:
    ray.get(slow.work.remote())
except ray.exceptions.ActorDiedError as error:
    print("it says that it never ran:", "never ran" in str(error))
print(notes.read())
