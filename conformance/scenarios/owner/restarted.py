"""An owner that is restarted has lost its former children.

Numbers: O3
"""

import os

import ray
from stagehand import alive, outcome, until


@ray.remote(max_restarts=-1)
class Child:
    def pid(self):
        return os.getpid()


@ray.remote(max_restarts=1, max_task_retries=-1)
class Parent:
    def __init__(self):
        self.child = None

    def make(self):
        self.child = self.child or Child.remote()
        return self.child

    def pid(self):
        return os.getpid()


ray.init()
parent = Parent.remote()
child = ray.get(parent.make.remote())
pid = ray.get(child.pid.remote())
os.kill(ray.get(parent.pid.remote()), 9)
until(lambda: not alive(pid))
print("the former child:", outcome(ray.get, child.pid.remote()))
other = ray.get(parent.make.remote())
print("another one:", other != child, ray.get(other.pid.remote()) != pid)
