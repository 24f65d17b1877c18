"""retry_exceptions: exceptions of the method are retried, all or those of a list, within max_task_retries.

Numbers: R9
"""

import ray
from stagehand import Notes, outcome


class Passing(Exception):
    pass


class Special(Passing):
    pass


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    @ray.method(max_task_retries=2, retry_exceptions=True)
    def always(self, kind, times):
        return self.fail("always", kind, times)

    @ray.method(max_task_retries=2, retry_exceptions=[Passing])
    def listed(self, kind, times):
        return self.fail("listed", kind, times)

    def plain(self, kind, times):
        return self.fail("plain", kind, times)

    def fail(self, name, kind, times):
        self.notes.add(name)
        if self.notes.count(name) <= times:
            raise kind(name)
        return "passed"


ray.init()


def attempt(name, kind, times, **options):
    notes = Notes()
    worker = Worker.remote(notes)
    method = getattr(worker, name)
    if options:
        method = method.options(**options)
    print(name, kind.__name__, times, options, outcome(ray.get, method.remote(kind, times)), notes.count(name))


attempt("always", ValueError, 2)
attempt("always", ValueError, 3)
attempt("listed", Special, 1)
attempt("listed", ValueError, 1)
attempt("plain", ValueError, 1)
attempt("plain", ValueError, 1, max_task_retries=1, retry_exceptions=True)
attempt("plain", ValueError, 1, retry_exceptions=True)
attempt("always", ValueError, 1, retry_exceptions=False)
