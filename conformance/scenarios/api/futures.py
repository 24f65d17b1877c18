"""A reference can be awaited, and gives a concurrent future.

Numbers: A3
"""

import asyncio

import ray
from stagehand import outcome


@ray.remote
class Worker:
    def double(self, number):
        return number * 2

    def fail(self):
        raise ValueError("failed")


async def main():
    one = await worker.double.remote(1)
    more = await asyncio.gather(*[worker.double.remote(number) for number in (2, 3)])
    late = await asyncio.wait_for(worker.double.remote(4), timeout=20)
    try:
        await worker.fail.remote()
    except ValueError as error:
        return one, more, late, type(error).__name__


ray.init()
worker = Worker.remote()
print(asyncio.run(main()))
print(worker.double.remote(5).future().result(timeout=20))
print(outcome(worker.fail.remote().future().result, timeout=20))
