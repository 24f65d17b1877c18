"""After a crash of a threaded actor only incomplete calls run again.

Numbers: R10, C1
"""

import os
import pathlib

import ray
from stagehand import Notes, until


@ray.remote(max_concurrency=3, max_restarts=1, max_task_retries=1)
class Worker:
    def __init__(self, notes):
        self.notes = notes

    def work(self, name):
        self.notes.add(name)
        return name

    def wait_for(self, name):
        self.notes.add(name)
        until(pathlib.Path(f"{self.notes.path}-open").exists)
        return name

    def pid(self):
        return os.getpid()


ray.init()
notes = Notes()
worker = Worker.remote(notes)
print(ray.get([worker.work.remote(f"done {number}") for number in range(3)]))
pid = ray.get(worker.pid.remote())
open_calls = [worker.wait_for.remote(f"open {number}") for number in range(2)]
notes.wait("open 0", "open 1")
os.kill(pid, 9)
until(lambda: notes.count("open 0") == notes.count("open 1") == 2)
pathlib.Path(f"{notes.path}-open").touch()
print(ray.get(open_calls))
print(sorted(notes.read()))
