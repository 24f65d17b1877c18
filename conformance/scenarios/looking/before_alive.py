"""States before an actor is alive, and while it is restarted.

Numbers: L2
"""

import os
import pathlib

import ray
from ray.util.state import list_actors
from stagehand import Notes, until


@ray.remote(max_restarts=1)
class Waiting:
    def __init__(self, notes):
        notes.add("born")
        until(pathlib.Path(f"{notes.path}-{notes.count('born')}").exists)

    def pid(self):
        return os.getpid()


ray.init()
notes = Notes()


def state():
    (found,) = list_actors(filters=[("name", "=", "waiting"), ("job_id", "=", ray.get_runtime_context().get_job_id())])
    return found.state


def open_gate(name):
    pathlib.Path(f"{notes.path}-{name}").touch()


waiting = Waiting.options(name="waiting").remote(notes)
notes.wait("born")
print(state())
open_gate(1)
pid = ray.get(waiting.pid.remote())
print(state())
os.kill(pid, 9)
until(lambda: notes.count("born") == 2)
print(state())
open_gate(2)
print(until(lambda: state() == "ALIVE" and state()))
