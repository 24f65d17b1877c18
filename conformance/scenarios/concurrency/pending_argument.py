"""A call waits for a reference among its arguments; on a serial actor later calls of the same caller wait behind it.

Numbers: C5
"""

import pathlib

import ray
from stagehand import Notes, until


@ray.remote
class Source:
    def value(self, path):
        until(pathlib.Path(path).exists)
        return "late"


@ray.remote
class Log:
    def __init__(self):
        self.order = []

    def add(self, value):
        self.order.append(value)
        return self.order


ray.init()
gate = Notes().path + "-open"
source, log = Source.remote(), Log.remote()
waiting = log.add.remote(source.value.remote(gate))
behind = log.add.remote("early")
print("before the value is there:", ray.wait([waiting, behind], timeout=0.5)[0])
pathlib.Path(gate).touch()
print(ray.get([waiting, behind]))
