"""The owner is killed: its actor dies with it, although it may be restarted, and says so.

Numbers: O2, L2
"""

import os

import ray
from ray.util.state import get_actor as look
from stagehand import Notes, alive, outcome, until


@ray.remote(max_restarts=-1)
class Child:
    def __init__(self, notes):
        self.notes = notes

    def who(self):
        return ray.get_runtime_context().get_actor_id(), os.getpid()

    def __ray_shutdown__(self):
        self.notes.add("hook")


@ray.remote
class Parent:
    def make(self, notes):
        self.child = Child.remote(notes)
        return self.child


ray.init()
notes = Notes()
parent = Parent.remote()
child = ray.get(parent.make.remote(notes))
identity, pid = ray.get(child.who.remote())
ray.kill(parent)
until(lambda: not alive(pid))
until(lambda: look(identity).state == "DEAD")
print("calls:", outcome(ray.get, child.who.remote()))
print("notes:", notes.read())
context = look(identity).death_cause["actor_died_error_context"]
print("reason:", context["reason"], "the text names the owner:", "owner" in context["error_message"])
