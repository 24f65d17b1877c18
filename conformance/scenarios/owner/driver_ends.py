"""A driver ends, in whatever way: its actors are gone, although they may be restarted.

Numbers: A1, O2
"""

import os
import signal
import subprocess
import sys

import ray
from stagehand import alive, until


@ray.remote(max_restarts=-1)
class Worker:
    def pid(self):
        return os.getpid()


WAYS = {
    "end": lambda: None,
    "shutdown": ray.shutdown,
    "sys.exit": lambda: sys.exit(0),
    "exception": lambda: 1 / 0,
    "os._exit": lambda: os._exit(0),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
}

if len(sys.argv) > 1:
    ray.init()
    worker = Worker.remote()
    print(ray.get(worker.pid.remote()), flush=True)
    WAYS[sys.argv[1]]()
    sys.exit()

for way in WAYS:
    ran = subprocess.run(
        [sys.executable, __file__, way], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    pid = int(ran.stdout.split()[0])
    until(lambda pid=pid: not alive(pid))
    print(f"{way}: its actor is gone")
