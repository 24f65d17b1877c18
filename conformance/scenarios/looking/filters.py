"""Filters of list_actors, its limit, and summarize_actors.

Numbers: L1
"""

import ray
from ray.util.state import list_actors, summarize_actors
from stagehand import until


@ray.remote
class Filtered:
    def ready(self):
        return True


ray.init()
name = "Filtered"
actors = [Filtered.options(name=f"filtered-{number}").remote() for number in range(3)]
ray.get([actor.ready.remote() for actor in actors])
mine = ("job_id", "=", ray.get_runtime_context().get_job_id())
print(sorted(found.name for found in list_actors(filters=[mine])))
print(sorted(found.name for found in list_actors(filters=[mine, ("name", "!=", "filtered-1")])))
print(len(list_actors(filters=[mine, ("state", "=", "alive")])), len(list_actors(filters=[mine], limit=2)))
ray.kill(actors[0])
until(lambda: len(list_actors(filters=[mine, ("state", "=", "DEAD")])) == 1)
summary = summarize_actors()["cluster"]
print(summary["summary_by"], summary["summary"][name]["class_name"], summary["summary"][name]["state_counts"]["ALIVE"])
