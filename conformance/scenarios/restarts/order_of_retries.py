"""A call that is run again after a crash keeps its place before the calls that were made after it.

Numbers: R5
Better: R5 in Ray calls overtake the one that crashed, so the order in which they run is not that in which they were
made.
"""

import os

import ray
from stagehand import Notes


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Log:
    def __init__(self, notes):
        self.notes = notes

    def add(self, number):
        crashed = self.notes.count(f"crash {number}")
        if number == 3 and not crashed:
            self.notes.add(f"crash {number}")
            os._exit(1)
        self.notes.add(f"ran {number}")
        return number


ray.init()
notes = Notes()
log = Log.remote(notes)
print("results:", ray.get([log.add.remote(number) for number in range(10)]))
print("order:", [line for line in notes.read() if line.startswith("ran")])
