"""kill takes handles only.

Numbers: K4
"""

import ray
from stagehand import outcome

ray.init()
for thing in ("name", None, 5, ray.put(1)):
    print(outcome(ray.kill, thing))
