"""An actor that leaves: calls before that have run, later ones raise, and nothing is restarted."""

import callboard as ray


@ray.remote(max_restarts=-1)
class Actor:
    def __init__(self):
        self.count = 0

    def work(self):
        self.count += 1
        return self.count

    def exit(self):
        ray.actor.exit_actor()


def main():
    ray.init()
    actor = Actor.remote()
    before = [actor.work.remote() for _ in range(3)]
    leaving = actor.exit.remote()
    after = actor.work.remote()

    print("before:", ray.get(before))
    for name, ref in (("leaving", leaving), ("after", after)):
        try:
            ray.get(ref)
            print("Unreachable.")
        except ray.exceptions.RayActorError as error:
            print(f"{name}:", str(error).splitlines()[-1].strip())

    try:
        ray.actor.exit_actor()
    except TypeError:
        print("Only an actor can leave.")

    ray.shutdown()


if __name__ == "__main__":
    main()
