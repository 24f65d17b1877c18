"""A detached actor outlives the driver that made it, is restarted, and is reached by name.

Numbers: O4, K5
"""

import os
import subprocess
import sys

import ray
from stagehand import alive, outcome, until

SPACE = f"detached-{os.getpid() if len(sys.argv) == 1 else sys.argv[1]}"


@ray.remote(max_restarts=1, max_task_retries=-1)
class Service:
    def __init__(self):
        self.count = 0

    def add(self):
        self.count += 1
        return self.count

    def pid(self):
        return os.getpid()


ray.init(namespace=SPACE)
if len(sys.argv) > 1:
    service = Service.options(name="service", lifetime="detached").remote()
    print("its maker counts:", ray.get(service.add.remote()), flush=True)
    sys.exit()

subprocess.run([sys.executable, __file__, str(os.getpid())], check=True)
service = ray.get_actor("service")
print("another driver counts:", ray.get(service.add.remote()))
pid = ray.get(service.pid.remote())
os.kill(pid, 9)
print("after a crash:", ray.get(service.add.remote()))
pid = ray.get(service.pid.remote())
del service
print("without a handle:", alive(pid), ray.get(ray.get_actor("service").add.remote()))
ray.kill(ray.get_actor("service"))
until(lambda: not alive(pid))
print("after kill:", outcome(ray.get_actor, "service"))
