"""put: a copy of the value as it was; references in it stay references.

Numbers: A3, A5
"""

import ray
from stagehand import outcome

ray.init()
value = {"list": [1, 2]}
ref = ray.put(value)
value["list"].append(3)
print(ray.get(ref), outcome(ray.put, ref))
outer = ray.put([ref])
print(type(ray.get(outer)[0]) is type(ref), ray.get(ray.get(outer)[0]))
print(len(ray.get(ray.put(b"x" * 3_000_000))), ray.get(ray.put(None)))
print(ref == ray.get(outer)[0], len({ref, ray.get(outer)[0]}))
print(outcome(ray.put, (thread for thread in [])))
