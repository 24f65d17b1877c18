"""Top-level references are resolved, nested ones are not; that of a failed call fails the call.

Numbers: A5
"""

import contextlib

import ray
from stagehand import Notes


class Failed(Exception):
    pass


@ray.remote
class Worker:
    def echo(self, *values, **named):
        return values, named

    def kinds(self, value, nested):
        return type(value).__name__, type(nested[0]).__name__, ray.get(nested[0])

    def fail(self):
        raise Failed("failed")

    def note(self, notes, value):
        notes.add("body ran")


ray.init()
worker, other = Worker.remote(), Worker.remote()
print(ray.get(worker.echo.remote(ray.put(1), other.echo.remote(2), three=ray.put(3))))
print(ray.get(worker.kinds.remote(ray.put(1), [ray.put(2)])))
notes = Notes()
try:
    ray.get(worker.note.remote(notes, other.fail.remote()))
except Failed as error:
    print(type(error).__name__, notes.read())
ray.kill(other)
# On Ray a call that is made after that may still run.
with contextlib.suppress(ray.exceptions.RayActorError):
    while True:
        ray.get(other.echo.remote())
try:
    ray.get(worker.note.remote(notes, other.fail.remote()))
except ray.exceptions.RayError as error:
    print(isinstance(error, ray.exceptions.RayActorError), notes.read())
