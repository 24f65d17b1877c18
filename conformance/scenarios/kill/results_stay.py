"""Results that were there before kill stay; wait counts failed calls as ready.

Numbers: K2, A3
"""

import threading

import ray
from stagehand import Notes, outcomes


@ray.remote
class Worker:
    def value(self):
        return "value"

    def block(self, notes):
        notes.add("blocked")
        threading.Event().wait()


ray.init()
notes = Notes()
worker = Worker.remote()
done = worker.value.remote()
ray.wait([done])
refs = [worker.block.remote(notes), worker.value.remote()]
notes.wait("blocked")
ray.kill(worker)
ready, others = ray.wait(refs, num_returns=2, timeout=20)
print(ready == refs, others)
print(ray.get(done), outcomes(ray.get, refs))
