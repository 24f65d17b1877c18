"""ActorPool: map in order, map_unordered, submit and get_next.

Numbers: A8
"""

import ray
from ray.util import ActorPool


@ray.remote
class Worker:
    def double(self, number):
        return number * 2


ray.init()
pool = ActorPool([Worker.remote(), Worker.remote()])
print(list(pool.map(lambda actor, value: actor.double.remote(value), range(6))))
print(sorted(pool.map_unordered(lambda actor, value: actor.double.remote(value), range(6))))
for value in range(3):
    pool.submit(lambda actor, value: actor.double.remote(value), value)
found = []
while pool.has_next():
    found.append(pool.get_next())
print(found, pool.has_free())
