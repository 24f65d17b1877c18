"""Any handle will do: one found by name, one that was passed on, and the actor's own.

Numbers: K4
"""

import os

import ray
from stagehand import alive, outcome, until


@ray.remote
class Victim:
    def pid(self):
        return os.getpid()

    def suicide(self):
        ray.kill(ray.get_runtime_context().current_actor)
        until(lambda: False)


@ray.remote
class Killer:
    def kill(self, things):
        ray.kill(things[0])


ray.init()
victim = Victim.options(name="victim").remote()
pid = ray.get(victim.pid.remote())
ray.kill(ray.get_actor("victim"))
until(lambda: not alive(pid))
print("found by name:", outcome(ray.get, victim.pid.remote()))

victim, killer = Victim.remote(), Killer.remote()
pid = ray.get(victim.pid.remote())
ray.get(killer.kill.remote([victim]))
until(lambda: not alive(pid))
print("passed on:", outcome(ray.get, victim.pid.remote()))

victim = Victim.remote()
print("its own:", outcome(ray.get, victim.suicide.remote()))
