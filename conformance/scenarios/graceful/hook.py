"""The hook runs once, on the main thread, after all calls, and may call other actors.

Numbers: G3
"""

import os
import threading

import ray
from stagehand import Notes, alive, until


@ray.remote
class Other:
    def double(self, number):
        return number * 2


@ray.remote
class Worker:
    def __init__(self, notes, other):
        self.notes, self.other, self.calls = notes, other, 0

    def work(self):
        self.calls += 1
        return os.getpid()

    def __ray_shutdown__(self):
        main = threading.current_thread() is threading.main_thread()
        self.notes.add(f"main thread: {main}, calls: {self.calls}, twice: {ray.get(self.other.double.remote(21))}")


ray.init()
notes, other = Notes(), Other.remote()
worker = Worker.remote(notes, other)
pid = ray.get([worker.work.remote() for _ in range(4)])[0]
del worker
until(lambda: not alive(pid))
print(notes.read())
