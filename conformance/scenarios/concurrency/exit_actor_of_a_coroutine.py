"""exit_actor in a coroutine: coroutines that have started finish first, and the hook runs.

Numbers: X1, C2, G3
"""

import asyncio
import pathlib
import threading

import ray
from stagehand import Notes, outcome, until


@ray.remote
class Worker:
    def __init__(self, notes):
        self.notes = notes

    async def wait_for(self, path):
        self.notes.add("waits")
        await asyncio.to_thread(until, pathlib.Path(path).exists)
        return "finished"

    async def leave(self):
        self.notes.add("leaves")
        ray.actor.exit_actor()

    def __ray_shutdown__(self):
        self.notes.add(f"hook, main thread: {threading.current_thread() is threading.main_thread()}")


ray.init()
notes = Notes()
gate = f"{notes.path}-open"
worker = Worker.remote(notes)
waiting = worker.wait_for.remote(gate)
notes.wait("waits")
leaving = worker.leave.remote()
notes.wait("leaves")
pathlib.Path(gate).touch()
print(outcome(ray.get, waiting), outcome(ray.get, leaving), outcome(ray.get, worker.leave.remote()))
notes.wait("hook, main thread: True")
print(notes.read())
