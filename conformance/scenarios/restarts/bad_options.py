"""Options of restarts and retries that are no numbers, or no options of actors.

Numbers: R9, A2
"""

import ray
from stagehand import outcome


class Worker:
    def work(self):
        return "worked"


ray.init()
for options in (
    {"max_restarts": -2},
    {"max_restarts": "1"},
    {"max_restarts": 1.5},
    {"max_task_retries": -2},
    {"retry_exceptions": True},
    {"no_such_option": 1},
    {"lifetime": "forever"},
    {"max_concurrency": -1},
    {"max_concurrency": "x"},
):
    print(options, outcome(lambda options=options: ray.remote(**options)(Worker)))
