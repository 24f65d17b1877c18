"""A remote function whose process dies is run again, one that raises only if it is told so.

Numbers: A9
"""

import os

import ray
from stagehand import Notes, outcome


@ray.remote
def crash(notes, times):
    notes.add("crash")
    if notes.count("crash") <= times:
        os._exit(1)
    return "survived"


@ray.remote
def fail(notes, times):
    notes.add("fail")
    if notes.count("fail") <= times:
        raise ValueError("failed")
    return "passed"


ray.init()
notes = Notes()
print(outcome(ray.get, crash.options(max_retries=2).remote(notes, 2)), notes.count("crash"))
notes = Notes()
print(outcome(ray.get, crash.options(max_retries=0).remote(notes, 1)), notes.count("crash"))
notes = Notes()
print(outcome(ray.get, fail.remote(notes, 1)), notes.count("fail"))
notes = Notes()
print(outcome(ray.get, fail.options(retry_exceptions=True).remote(notes, 1)), notes.count("fail"))
