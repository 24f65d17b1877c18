"""What list_actors tells of an actor, with and without details.

Numbers: L1
"""

import os

import ray
from ray.util.state import list_actors
from stagehand import until


@ray.remote(max_restarts=2)
class Worker:
    def who(self):
        context = ray.get_runtime_context()
        return context.get_actor_id(), os.getpid(), context.get_job_id(), context.get_node_id()

    def __repr__(self):
        return "a worker"


space = f"looking-{os.getpid()}"
ray.init(namespace=space)
worker = Worker.options(name="one", lifetime="detached").remote()
identity, pid, job, node = ray.get(worker.who.remote())
until(lambda: list_actors(filters=[("actor_id", "=", identity)], detail=True)[0].repr_name)
(found,) = list_actors(filters=[("actor_id", "=", identity)], detail=True)
print(found.class_name, found.state, found.name, found.is_detached, found.num_restarts, found.repr_name)
print(found.pid == pid, found.ray_namespace == space, found.job_id == job, found.node_id == node)
print(found["state"], found.get("class_name"), found.placement_group_id, found.death_cause)
(found,) = list_actors(filters=[("actor_id", "=", identity)])
print(found.state, found.class_name, found.pid == pid, found.is_detached, found.num_restarts)
ray.kill(worker)
