"""However an owner ends, its actor ends and is not restarted.

Numbers: O2
"""

import os
import signal

import ray
from stagehand import alive, outcome, until


@ray.remote(max_restarts=-1)
class Child:
    def pid(self):
        return os.getpid()


@ray.remote
class Parent:
    def make(self):
        self.child = Child.remote()
        return self.child

    def end(self, way):
        if way == "os._exit":
            os._exit(1)
        if way == "exit_actor":
            ray.actor.exit_actor()
        os.kill(os.getpid(), getattr(signal, way))


ray.init()
for way in ("os._exit", "exit_actor", "SIGKILL", "SIGSEGV", "out of scope"):
    parent = Parent.remote()
    child = ray.get(parent.make.remote())
    pid = ray.get(child.pid.remote())
    if way != "out of scope":
        parent.end.remote(way)
    del parent
    until(lambda pid=pid: not alive(pid))
    print(f"{way}:", outcome(ray.get, child.pid.remote()))
