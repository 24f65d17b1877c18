"""A stream that is cancelled ends with an error.

Numbers: C6, A6
Better: C6 in Ray it just ends, as if it were complete.
"""

import asyncio

import ray
from stagehand import outcome


@ray.remote
class Loop:
    async def count(self):
        yield 0
        await asyncio.Event().wait()


ray.init()
stream = Loop.remote().count.remote()
print(ray.get(next(stream)))
ray.cancel(stream)
found = outcome(lambda: ray.get(next(stream)))
print("a plain end:", found == "StopIteration")
