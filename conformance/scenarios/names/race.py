"""Several drivers take a name at once: one creates the actor, and get_if_exists gives the same one to all.

Numbers: N4
"""

import os
import subprocess
import sys

import ray


@ray.remote
class Named:
    def who(self):
        return os.getpid()


if len(sys.argv) > 1:
    space, mode = sys.argv[1:]
    ray.init(namespace=space)
    options = {"name": mode, "lifetime": "detached", "get_if_exists": mode == "shared"}
    try:
        print(ray.get(Named.options(**options).remote().who.remote()), flush=True)
    except ValueError:
        print("taken", flush=True)
    sys.exit()

space = f"race-{os.getpid()}"
ray.init(namespace=space)
for mode in ("shared", "mine"):
    rivals = [subprocess.Popen([sys.executable, __file__, space, mode], stdout=subprocess.PIPE) for _ in range(4)]
    said = [rival.communicate()[0].split()[-1] for rival in rivals]
    pids = {word for word in said if word != b"taken"}
    print(f"{mode}: actors:", len(pids), "refused:", said.count(b"taken"))
    ray.kill(ray.get_actor(mode))
