"""A KeyboardInterrupt that a method raises is an error of that call; the actor lives.

Numbers: X5
"""

import ray


@ray.remote
class Worker:
    def interrupt(self):
        raise KeyboardInterrupt

    def generator_exit(self):
        raise GeneratorExit

    def ready(self):
        return "ready"


ray.init()
worker = Worker.remote()
for method in (worker.interrupt, worker.generator_exit):
    try:
        ray.get(method.remote())
    except ray.exceptions.RayTaskError as error:
        print("an error of the call:", isinstance(error, ray.exceptions.RayError))
print(ray.get(worker.ready.remote()))
