"""A restart runs the constructor again with the same arguments, in a new process, as the same actor.

Numbers: R1, R2, R13
"""

import os

import ray
from stagehand import outcome


@ray.remote(max_restarts=1, max_task_retries=1)
class Counter:
    def __init__(self, start):
        self.value = start

    def add(self):
        self.value += 1
        return self.value

    def who(self):
        context = ray.get_runtime_context()
        return context.get_actor_id(), os.getpid(), context.was_current_actor_reconstructed

    def crash(self):
        if not ray.get_runtime_context().was_current_actor_reconstructed:
            os._exit(3)
        return "survived"


ray.init()
counter = Counter.remote(10)
print(ray.get([counter.add.remote() for _ in range(3)]))
identity, pid, restarted = ray.get(counter.who.remote())
print("restarted:", restarted)
print(ray.get(counter.crash.remote()))
again, other, restarted = ray.get(counter.who.remote())
print("same actor:", again == identity, "other process:", other != pid, "restarted:", restarted)
print(ray.get(counter.add.remote()))
os.kill(other, 9)
print("used up:", outcome(ray.get, counter.add.remote()))
print("for good:", outcome(ray.get, counter.add.remote()))
