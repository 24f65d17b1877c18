"""The runtime context in an actor and in the driver.

Numbers: A7
"""

import os

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def context(self):
        context = ray.get_runtime_context()
        return {
            "actor": context.get_actor_id(),
            "name": context.get_actor_name(),
            "job": context.get_job_id(),
            "node": context.get_node_id(),
            "worker": context.get_worker_id(),
            "namespace": context.namespace,
            "restarted": context.was_current_actor_reconstructed,
            "myself": context.current_actor,
        }


space = f"context-{os.getpid()}"
ray.init(namespace=space)
one, two = Worker.options(name="one").remote(), Worker.remote()
here, other = ray.get([one.context.remote(), two.context.remote()])
driver = ray.get_runtime_context()
print([key for key in ("actor", "worker", "name") if here[key] == other[key]])
print([len(here["actor"]), here["name"], bool(other["name"]), here["restarted"], here["myself"] == one])
print(here["job"] == driver.get_job_id(), here["node"] == other["node"], here["namespace"] == space)
print(driver.get_actor_id(), driver.namespace == space, outcome(lambda: driver.current_actor))
