"""Options of calls are checked like those of decorators.

Numbers: A2, R9
Better: A2 Ray takes a max_task_retries of -3 for a call, and has bad retry_exceptions fail in the actor.
"""

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def work(self):
        return "worked"


ray.init()
worker = Worker.remote()
print(outcome(lambda: worker.work.options(max_task_retries=-3)))
print(outcome(lambda: worker.work.options(retry_exceptions=5)))
print(outcome(lambda: worker.work.options(retry_exceptions=[5])))
print(ray.get(worker.work.remote()))
