"""What actors print comes to the terminal of their driver, with class and pid; log_to_driver=False keeps it away.

Numbers: L5
"""

import os
import pathlib
import re
import subprocess
import sys

import ray
from stagehand import eventually, until


@ray.remote
class Talker:
    def say(self, text):
        print(text, flush=True)
        return os.getpid()


if len(sys.argv) > 1:
    ray.init(log_to_driver=sys.argv[1] == "on")
    talker = Talker.remote()
    print("pid", ray.get(talker.say.remote("hello from an actor")), flush=True)
    sys.stdin.read()
    sys.exit()

TALK = re.compile(r"\(Talker pid=(\d+)\)\S* hello from an actor")
for switch in ("on", "off"):
    said = pathlib.Path(switch)
    with said.open("w") as out:
        driver = subprocess.Popen([sys.executable, __file__, switch], stdin=subprocess.PIPE, stdout=out, stderr=out)
        until(lambda said=said: "pid" in said.read_text())
        found = eventually(lambda said=said: TALK.search(said.read_text()), 3)
        print(switch, bool(found), found is None or f"pid {found[1]}" in said.read_text())
        driver.communicate()
