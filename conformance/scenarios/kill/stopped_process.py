"""kill ends a process that is stopped, and one that has its signals blocked.

Numbers: K7
"""

import os
import signal
import threading

import ray
from stagehand import Notes, alive, outcome, until


@ray.remote
class Deaf:
    def __init__(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))

    def pid(self):
        return os.getpid()

    def block(self, notes):
        notes.add("blocked")
        threading.Event().wait()


ray.init()
notes = Notes()
deaf = Deaf.remote()
pid = ray.get(deaf.pid.remote())
ref = deaf.block.remote(notes)
notes.wait("blocked")
os.kill(pid, signal.SIGSTOP)
ray.kill(deaf)
print(outcome(ray.get, ref))
until(lambda: not alive(pid))
print("gone")
