"""Coroutines of an actor run at once, on one event loop; await works on references.

Numbers: C2, A3
"""

import asyncio

import ray


@ray.remote
class Source:
    def double(self, number):
        return number * 2


@ray.remote
class Meeting:
    def __init__(self, parties):
        self.parties = parties
        self.there = 0
        self.complete = asyncio.Event()

    async def meet(self):
        self.there += 1
        if self.there == self.parties:
            self.complete.set()
        await asyncio.wait_for(self.complete.wait(), 20)
        return self.there

    async def ask(self, source, numbers):
        one = await source.double.remote(21)
        return one, await asyncio.gather(*[source.double.remote(number) for number in numbers])

    def plain(self):
        return asyncio.get_running_loop().is_running()


ray.init()
meeting = Meeting.remote(20)
print(ray.get([meeting.meet.remote() for _ in range(20)]) == [20] * 20)
source = Source.remote()
print(ray.get(meeting.ask.remote(source, [1, 2, 3])))
print("a plain method runs in the loop:", ray.get(meeting.plain.remote()))
