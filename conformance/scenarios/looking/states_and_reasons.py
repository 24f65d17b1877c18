"""The state API tells the states of actors, and why they died.

Numbers: L1, L2
"""

import os

import ray
from ray.util.state import get_actor as look
from stagehand import until


@ray.remote
class Worker:
    def identity(self):
        return ray.get_runtime_context().get_actor_id()

    def end(self, way):
        if way == "os._exit":
            os._exit(1)
        ray.actor.exit_actor()


ray.init()
for way in ("kill", "out of scope", "os._exit", "exit_actor"):
    worker = Worker.remote()
    identity = ray.get(worker.identity.remote())
    before = look(identity)
    if way == "kill":
        ray.kill(worker)
    elif way != "out of scope":
        worker.end.remote(way)
    if way == "out of scope":
        del worker
    until(lambda identity=identity: look(identity).state == "DEAD")
    context = look(identity).death_cause["actor_died_error_context"]
    # Ray has two names for one thing, by chance.
    reason = "OUT_OF_SCOPE" if context["reason"] == "REF_DELETED" else context["reason"]
    print(f"{way}:", before.state, before.class_name, before.death_cause, reason, context["never_started"])
print("nobody:", look("f" * 32))
