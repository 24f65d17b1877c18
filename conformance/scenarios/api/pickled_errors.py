"""An error that arrived can be pickled and is the same afterwards.

Numbers: A4
Better: A4 in Ray plain pickle fails for it.
"""

import pickle

import ray
from stagehand import outcome


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


@ray.remote
class Desk:
    def ask(self):
        raise Refused(7)


ray.init()
try:
    ray.get(Desk.remote().ask.remote())
except Refused as error:
    again = outcome(lambda error=error: pickle.loads(pickle.dumps(error)))
    print(isinstance(again, Refused), getattr(again, "code", None), type(again).__name__)
