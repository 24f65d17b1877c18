"""On a threaded actor later calls do not wait behind one that waits for its argument.

Numbers: C1, C5
"""

import pathlib

import ray
from stagehand import Notes, until


@ray.remote
class Source:
    def value(self, path):
        until(pathlib.Path(path).exists)
        return "late"


@ray.remote(max_concurrency=2)
class Log:
    def __init__(self):
        self.order = []

    def add(self, value):
        self.order.append(value)
        return list(self.order)


ray.init()
gate = Notes().path + "-open"
source, log = Source.remote(), Log.remote()
waiting = log.add.remote(source.value.remote(gate))
print(ray.get(log.add.remote("early"), timeout=20))
pathlib.Path(gate).touch()
print(ray.get(waiting))
