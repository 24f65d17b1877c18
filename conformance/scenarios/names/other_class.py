"""get_if_exists for another class than that of the living actor.

Numbers: N2
Better: N2 Ray hands over an actor of the wrong class.
"""

import ray
from stagehand import outcome


@ray.remote
class One:
    def ready(self):
        return True


@ray.remote
class Two:
    def ready(self):
        return True


ray.init()
one = One.options(name="same").remote()
ray.get(one.ready.remote())
found = outcome(lambda: Two.options(name="same", get_if_exists=True).remote())
print(found if isinstance(found, str) else "an actor")
