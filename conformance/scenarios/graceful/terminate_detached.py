"""__ray_terminate__ ends a detached actor, and its name is free.

Numbers: G1, O4
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
print(outcome(ray.get, service.__ray_terminate__.remote()))
until(lambda: not alive(pid))
until(lambda: outcome(ray.get_actor, "service") == "ValueError")
service = Service.options(name="service", lifetime="detached").remote()
print("again:", ray.get(service.pid.remote()) != pid)
ray.kill(service)
