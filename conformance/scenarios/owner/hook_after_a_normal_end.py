"""An owner ends because nobody holds it any more: the hook of its actor runs.

Numbers: O2, G2
Better: O2 in Ray actors that end with their owner never get to their hook, even if it ended as it should.
"""

import os

import ray
from stagehand import Notes, alive, until


@ray.remote
class Child:
    def __init__(self, notes):
        self.notes = notes

    def pid(self):
        return os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook of the child")


@ray.remote
class Parent:
    def make(self, notes):
        self.child = Child.remote(notes)
        return ray.get(self.child.pid.remote())


ray.init()
notes = Notes()
parent = Parent.remote()
pid = ray.get(parent.make.remote(notes))
del parent
until(lambda: not alive(pid))
print(notes.read())
