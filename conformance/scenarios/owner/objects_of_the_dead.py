"""An object whose owner has died raises OwnerDiedError; results that are owned by others stay.

Numbers: O7
"""

import ray
from stagehand import outcome


@ray.remote
class Maker:
    def make(self):
        return ["plain", ray.put("boxed")]


ray.init()
maker = Maker.remote()
ref = maker.make.remote()
plain, boxed = ray.get(ref)
ray.kill(maker)
try:
    print("boxed:", ray.get(boxed, timeout=20))
except ray.exceptions.ObjectLostError as error:
    print("boxed:", type(error).__name__)
print("plain:", plain, outcome(lambda: ray.get(ref)[0]))
