"""Cancelling a call cancels what it has called, and what that has called, unless asked not to.

Numbers: C6
"""

import asyncio
import pathlib

import ray
from stagehand import Notes, until


@ray.remote
class Hand:
    async def hold(self, notes, name):
        notes.add(f"{name} began")
        try:
            await asyncio.to_thread(until, pathlib.Path(f"{notes.path}-open").exists)
        except asyncio.CancelledError:
            notes.add(f"{name} cancelled")
            raise
        notes.add(f"{name} ended")


@ray.remote
class Foreman:
    async def delegate(self, others, hand, notes, name):
        if others:
            await others[0].delegate.remote(others[1:], hand, notes, name)
        else:
            await hand.hold.remote(notes, name)


ray.init()
notes, hand = Notes(), Hand.remote()
foremen = [Foreman.remote() for _ in range(3)]
for name, recursive in (("all", True), ("one", False)):
    ref = foremen[0].delegate.remote(foremen[1:], hand, notes, name)
    notes.wait(f"{name} began")
    ray.cancel(ref, recursive=recursive)
    try:
        ray.get(ref)
    except ray.exceptions.TaskCancelledError:
        print(name, "cancelled")
    if not recursive:
        pathlib.Path(f"{notes.path}-open").touch()
    notes.wait(f"{name} {'cancelled' if recursive else 'ended'}")
print(notes.read())
