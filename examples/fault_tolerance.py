"""An actor whose process dies every tenth call: four restarts hide it, the fifth death does not stay hidden."""

import os

import callboard as ray


@ray.remote(max_restarts=4, max_task_retries=-1)
class Actor:
    def __init__(self):
        self.counter = 0

    def increment_and_possibly_fail(self):
        # Exit after every 10 tasks.
        if self.counter == 10:
            os._exit(0)
        self.counter += 1
        return self.counter


def main():
    ray.init()
    actor = Actor.remote()

    # The actor is reconstructed up to 4 times, so 50 calls succeed. Each reconstruction reruns the constructor, and the
    # call that was running when the process died runs again.
    for _ in range(50):
        counter = ray.get(actor.increment_and_possibly_fail.remote())
        print(counter)  # Prints the sequence 1-10 5 times.

    # After the actor has been restarted 4 times, all further calls raise a `RayActorError`.
    for _ in range(10):
        try:
            counter = ray.get(actor.increment_and_possibly_fail.remote())
            print(counter)  # Unreachable.
        except ray.exceptions.RayActorError:
            print("FAILURE")  # Prints 10 times.

    ray.shutdown()


if __name__ == "__main__":
    main()
