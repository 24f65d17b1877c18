"""max_concurrency limits how many coroutines run at once.

Numbers: C2
"""

import asyncio

import ray


@ray.remote(max_concurrency=3)
class Room:
    def __init__(self):
        self.inside = self.most = 0

    async def visit(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(20):
            await asyncio.sleep(0.001)
        self.inside -= 1

    async def peak(self):
        return self.most


ray.init()
room = Room.remote()
ray.get([room.visit.remote() for _ in range(20)])
print(ray.get(room.peak.remote()))
