"""exit_actor outside an actor is a TypeError.

Numbers: X2
"""

import ray
from stagehand import outcome

ray.init()
print(outcome(ray.actor.exit_actor))
