"""Options come from the decorator, and .options() overrides them without changing the class.

Numbers: A2, A7
"""

import ray
from stagehand import outcome


@ray.remote(name="decorated", max_restarts=1)
class Named:
    def name(self):
        return ray.get_runtime_context().get_actor_name()


ray.init()
one = Named.remote()
two = Named.options(name="other", num_cpus=1).remote()
print(ray.get([one.name.remote(), two.name.remote()]), outcome(Named.remote))
print(outcome(lambda: Named.options(no_such_option=1)), outcome(lambda: Named.options(max_restarts="x")))
