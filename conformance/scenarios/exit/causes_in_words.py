"""The error tells the exit code, or the signal by its name.

Numbers: X4
Better: X4 in Ray all crashes have one text, which lists what may have happened.
"""

import os
import signal

import ray


@ray.remote
class Worker:
    def crash(self, way):
        if way == "exit code 7":
            os._exit(7)
        os.kill(os.getpid(), getattr(signal, way))


ray.init()
for way in ("exit code 7", "SIGKILL", "SIGABRT"):
    worker = Worker.remote()
    try:
        ray.get(worker.crash.remote(way))
    except ray.exceptions.ActorDiedError as error:
        others = {"exit code 7", "SIGKILL", "SIGABRT"} - {way}
        print(f"{way}:", way in str(error), any(other in str(error) for other in others))
