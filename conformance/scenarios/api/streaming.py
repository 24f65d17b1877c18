"""A generator method streams: references come one by one, an error after some of them ends the stream.

Numbers: A6
"""

import asyncio

import ray
from stagehand import Notes, outcome


@ray.remote
class Worker:
    def count(self, number, fail_at=None):
        for value in range(number):
            if value == fail_at:
                raise ValueError("failed")
            yield value

    def one_by_one(self, notes):
        for value in range(3):
            notes.wait(*[f"seen {before}" for before in range(value)])
            yield value


@ray.remote
class Loop:
    async def count(self, number):
        for value in range(number):
            await asyncio.sleep(0)
            yield value


async def read(stream):
    return [await ref async for ref in stream]


ray.init()
worker = Worker.remote()
print([ray.get(ref) for ref in worker.count.remote(4)])
print([outcome(ray.get, ref) for ref in worker.count.remote(4, 2)])
notes = Notes()
for ref in worker.one_by_one.options(num_returns="streaming").remote(notes):
    notes.add(f"seen {ray.get(ref)}")
print(notes.read())
stream = worker.count.remote(1)
print(ray.get(next(stream)), outcome(next, stream))
print(asyncio.run(read(worker.count.remote(3))))
print([ray.get(ref) for ref in Loop.remote().count.remote(3)])
