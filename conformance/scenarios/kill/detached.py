"""kill ends a detached actor for good, although it may be restarted, and its name is free.

Numbers: K5, O4
"""

import os

import ray
from stagehand import alive, outcome, until


@ray.remote(max_restarts=-1)
class Service:
    def pid(self):
        return os.getpid()


ray.init()
service = Service.options(name="service", lifetime="detached").remote()
pid = ray.get(service.pid.remote())
ray.kill(service)
until(lambda: not alive(pid))
print(outcome(ray.get, service.pid.remote()), outcome(ray.get_actor, "service"))
service = Service.options(name="service", lifetime="detached").remote()
print("again:", ray.get(service.pid.remote()) != pid)
ray.kill(service)
