"""The state of an actor whose constructor waits for a reference among its arguments.

Numbers: L2, A5
"""

import pathlib

import ray
from ray.util.state import list_actors
from stagehand import Notes, eventually, until


@ray.remote
class Source:
    def value(self, path):
        until(pathlib.Path(path).exists)
        return "value"


@ray.remote
class Waiting:
    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value


ray.init()
gate = Notes().path + "-open"


def states():
    mine = ("job_id", "=", ray.get_runtime_context().get_job_id())
    return [found.state for found in list_actors(filters=[mine, ("name", "=", "waiting")])]


source = Source.remote()
waiting = Waiting.options(name="waiting").remote(source.value.remote(gate))
print("unready:", eventually(lambda: states() == ["DEPENDENCIES_UNREADY"], 3))
pathlib.Path(gate).touch()
print(ray.get(waiting.get.remote()), states())
