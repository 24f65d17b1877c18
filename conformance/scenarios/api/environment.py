"""runtime_env sets environment variables of the actor's process.

Numbers: A2
"""

import os

import ray


@ray.remote
class Worker:
    def read(self, name):
        return os.environ.get(name)


ray.init()
with_it = Worker.options(runtime_env={"env_vars": {"GREETING": "hello"}}).remote()
without = Worker.remote()
print(ray.get([with_it.read.remote("GREETING"), without.read.remote("GREETING")]))
