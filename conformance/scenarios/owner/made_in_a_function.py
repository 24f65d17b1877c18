"""An actor that was made in a remote function lives on while its handle is held.

Numbers: O5, A9
"""

import os

import ray
from stagehand import alive, until


@ray.remote
class Worker:
    def pid(self):
        return os.getpid()


@ray.remote
def make():
    return Worker.remote()


ray.init()
worker = ray.get(make.remote())
pid = ray.get(worker.pid.remote())
print(alive(pid), ray.get(worker.pid.remote()) == pid)
del worker
until(lambda: not alive(pid))
print("gone with the handle")
