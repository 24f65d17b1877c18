"""exit_actor cannot be caught, and works from a thread of the actor.

Numbers: X1
"""

import os
import threading

import ray
from stagehand import alive, outcome, until


@ray.remote
class Worker:
    def pid(self):
        return os.getpid()

    def catch(self):
        try:
            ray.actor.exit_actor()
        except BaseException:
            return "caught"

    def in_a_thread(self):
        thread = threading.Thread(target=ray.actor.exit_actor, daemon=True)
        thread.start()
        return "returned"


ray.init()
worker = Worker.remote()
pid = ray.get(worker.pid.remote())
print("caught:", outcome(ray.get, worker.catch.remote()))
until(lambda: not alive(pid))
print("gone:", outcome(ray.get, worker.pid.remote()))

worker = Worker.remote()
pid = ray.get(worker.pid.remote())
worker.in_a_thread.remote()
until(lambda: not alive(pid))
print("gone:", outcome(ray.get, worker.pid.remote()))
