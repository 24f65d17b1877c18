"""max_concurrency runs so many calls of a class without coroutines at once, in threads, and one by default.

Numbers: C1
"""

import threading

import ray


@ray.remote
class Gate:
    def __init__(self, parties):
        self.barrier = threading.Barrier(parties)

    def enter(self):
        self.barrier.wait(timeout=20)
        return threading.current_thread() is threading.main_thread()


ray.init()
gate = Gate.options(max_concurrency=3).remote(3)
print("met, on the main thread:", ray.get([gate.enter.remote() for _ in range(3)]))
alone = Gate.remote(1)
print("serial, on the main thread:", ray.get([alone.enter.remote() for _ in range(3)]))
