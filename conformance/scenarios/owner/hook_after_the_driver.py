"""A driver comes to its end: the hooks of its actors run.

Numbers: O2, A1
Better: O2 in Ray the end of a driver kills its actors, and no hook runs.
"""

import subprocess
import sys

import ray
from stagehand import Notes, eventually


class Hooked:
    def __init__(self, notes, name):
        self.notes, self.name = notes, name

    def ready(self):
        return True

    def __ray_shutdown__(self):
        self.notes.add(self.name)


if len(sys.argv) > 1:
    way, path = sys.argv[1:]
    notes = Notes()
    notes.path = path
    ray.init()
    hooked = ray.remote(Hooked).remote(notes, way)
    ray.get(hooked.ready.remote())
    if way == "shutdown":
        ray.shutdown()
    sys.exit()

notes = Notes()
for way in ("end", "shutdown"):
    subprocess.run([sys.executable, __file__, way, notes.path], check=True)
    print(f"{way}:", bool(eventually(lambda way=way: way in notes.read(), 3)))
