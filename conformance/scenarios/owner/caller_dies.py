"""Calls of a driver that dies still run, in order.

Numbers: O6
"""

import os
import pathlib
import signal
import subprocess
import sys

import ray
from stagehand import Notes, until


@ray.remote
class Log:
    def __init__(self, notes):
        self.notes = notes

    def wait_for(self, path):
        self.notes.add("waits")
        until(pathlib.Path(path).exists)

    def add(self, number):
        self.notes.add(f"ran {number}")

    def ping(self):
        return "pong"


if len(sys.argv) > 1:
    space, gate = sys.argv[1:]
    ray.init(namespace=space)
    log, other = ray.get_actor("log"), ray.get_actor("other")
    log.wait_for.remote(gate)
    for number in range(5):
        log.add.remote(number)
    ray.get([other.ping.remote() for _ in range(10)])
    until(lambda: "waits" in pathlib.Path(gate.removesuffix("-open")).read_text())
    os.kill(os.getpid(), signal.SIGKILL)

space = f"caller-{os.getpid()}"
ray.init(namespace=space)
notes = Notes()
log = Log.options(name="log").remote(notes)
other = Log.options(name="other").remote(notes)
ray.get([log.ping.remote(), other.ping.remote()])
gate = f"{notes.path}-open"
print("the caller:", subprocess.run([sys.executable, __file__, space, gate], check=False).returncode)
pathlib.Path(gate).touch()
notes.wait("ran 4")
print(notes.read())
