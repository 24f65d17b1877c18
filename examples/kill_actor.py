"""Killing an actor: its process is gone at once, and calls raise."""

import callboard as ray


@ray.remote
class Actor:
    def __init__(self):
        self.values = []

    def append(self, value):
        self.values.append(value)
        return self.values


def main():
    ray.init()
    actor = Actor.remote()
    print(ray.get(actor.append.remote("one")))

    ray.kill(actor)

    try:
        ray.get(actor.append.remote("two"))
        print("Unreachable.")
    except ray.exceptions.RayActorError as error:
        print("The actor is dead:", type(error).__name__)
        print(error)

    # Killing a dead actor does nothing.
    ray.kill(actor)
    ray.shutdown()


if __name__ == "__main__":
    main()
