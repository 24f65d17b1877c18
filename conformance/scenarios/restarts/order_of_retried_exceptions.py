"""A call that is retried for its exception keeps its place.

Numbers: R9, R5
Better: R9 in Ray later calls overtake it.
"""

import ray
from stagehand import Notes


@ray.remote(max_task_retries=3)
class Worker:
    def __init__(self, notes):
        self.notes = notes

    @ray.method(retry_exceptions=True)
    def flaky(self):
        self.notes.add("flaky")
        if self.notes.count("flaky") < 3:
            raise ValueError("not yet")
        return "passed"

    def work(self, number):
        self.notes.add(f"work {number}")
        return number


ray.init()
notes = Notes()
worker = Worker.remote(notes)
refs = [worker.flaky.remote(), *(worker.work.remote(number) for number in range(3))]
print(ray.get(refs))
print(notes.read())
