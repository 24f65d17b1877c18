"""init, init again, shutdown, shutdown again, is_initialized, and automatic init.

Numbers: A1
"""

import ray
from stagehand import outcome

print(ray.is_initialized())
ray.init()
print(ray.is_initialized(), outcome(ray.init))
ray.init(ignore_reinit_error=True)
ray.shutdown()
ray.shutdown()
print(ray.is_initialized())
print(ray.get(ray.put("automatic")), ray.is_initialized())
ray.shutdown()
with ray.init():
    print("inside:", ray.is_initialized())
print("outside:", ray.is_initialized())
