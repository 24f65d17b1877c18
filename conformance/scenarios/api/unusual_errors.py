"""Exceptions that cannot be pickled, are no Exception, or are special for Python.

Numbers: A4
"""

import threading

import ray


class Locked(Exception):
    def __init__(self):
        super().__init__("locked")
        self.lock = threading.Lock()


class Base(BaseException):
    pass


@ray.remote
class Worker:
    def fail(self, kind):
        make = {
            "locked": Locked,
            "base": lambda: Base("base"),
            "group": lambda: ExceptionGroup("group", [ValueError("one")]),
            "timeout": lambda: TimeoutError("late"),
            "stop": lambda: StopIteration("stop"),
        }[kind]
        raise make()


ray.init()
worker = Worker.remote()
for kind in ("locked", "base", "group", "timeout", "stop"):
    try:
        ray.get(worker.fail.remote(kind))
    except ray.exceptions.RayTaskError as error:
        print(f"{kind}:", type(error).__name__, isinstance(error, (Locked, ExceptionGroup, TimeoutError)))
