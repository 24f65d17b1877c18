"""Cancelling a running coroutine raises CancelledError in it; a running plain method is not interrupted.

Numbers: C6
"""

import asyncio
import pathlib

import ray
from stagehand import Notes, outcome, until


@ray.remote
class Loop:
    async def wait(self, notes):
        notes.add("waits")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            notes.add("cancelled")
            raise

    async def ready(self):
        return "ready"


@ray.remote
class Serial:
    def wait_for(self, notes):
        notes.add("waits")
        until(pathlib.Path(f"{notes.path}-open").exists)
        notes.add("done")
        return "done"


def cancelled(ref):
    try:
        return ray.get(ref, timeout=20)
    except ray.exceptions.TaskCancelledError:
        return "cancelled"


ray.init()
notes, loop = Notes(), Loop.remote()
ref = loop.wait.remote(notes)
notes.wait("waits")
ray.cancel(ref)
print("coroutine:", cancelled(ref), ray.get(loop.ready.remote()))
notes.wait("cancelled")

notes, serial = Notes(), Serial.remote()
ref = serial.wait_for.remote(notes)
notes.wait("waits")
print("cancel returns:", ray.cancel(ref), outcome(lambda: ray.cancel(ref, force=True)))
pathlib.Path(f"{notes.path}-open").touch()
print("plain:", cancelled(ref))
notes.wait("done")
print(notes.read())
