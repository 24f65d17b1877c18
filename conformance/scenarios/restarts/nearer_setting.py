"""max_task_retries on the class, on the method and in options: the nearer one wins.

Numbers: R3, R8
"""

import os

import ray
from stagehand import Notes, outcome, until


@ray.remote(max_restarts=-1, max_task_retries=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def of_class(self, times):
        return self.crash("of_class", times)

    @ray.method(max_task_retries=0)
    def of_method(self, times):
        return self.crash("of_method", times)

    def ready(self):
        return True

    def crash(self, name, times):
        self.notes.add(name)
        if self.notes.count(name) <= times:
            os._exit(1)
        return "survived"


ray.init()


def attempt(times, name, **options):
    notes = Notes()
    worker = Worker.remote(notes)
    ray.get(worker.ready.remote())
    method = getattr(worker, name)
    if options:
        method = method.options(**options)
    print(name, options, times, outcome(ray.get, method.remote(times)), notes.count(name))
    until(lambda: outcome(ray.get, worker.ready.remote()) is True)


attempt(1, "of_class")
attempt(2, "of_class")
attempt(1, "of_method")
attempt(1, "of_method", max_task_retries=1)
attempt(2, "of_class", max_task_retries=-1)
attempt(1, "of_class", max_task_retries=0)
