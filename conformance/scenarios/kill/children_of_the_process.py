"""Processes that an actor has started end with it.

Numbers: K1
"""

import os
import subprocess

import ray
from stagehand import alive, until


@ray.remote
class Starter:
    def start(self):
        self.child = subprocess.Popen(["sleep", "600"])
        return self.child.pid

    def crash(self):
        os._exit(1)


ray.init()
starter = Starter.remote()
child = ray.get(starter.start.remote())
print(alive(child))
ray.kill(starter)
until(lambda: not alive(child))
print("gone after kill")

starter = Starter.remote()
child = ray.get(starter.start.remote())
starter.crash.remote()
until(lambda: not alive(child))
print("gone after a crash")
