"""The state tells how often an actor was restarted.

Numbers: R1, L1
"""

import os

import ray
from ray.util.state import get_actor as look
from stagehand import until


@ray.remote(max_restarts=3, max_task_retries=-1)
class Worker:
    def who(self):
        return ray.get_runtime_context().get_actor_id(), os.getpid()


ray.init()
worker = Worker.remote()
for number in range(3):
    identity, pid = ray.get(worker.who.remote())
    print(number, until(lambda: (found := look(identity)).state == "ALIVE" and [found.num_restarts]))
    os.kill(pid, 9)
