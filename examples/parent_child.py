"""Actors die with the actor that created them, unless they are detached."""

import os
import signal

import callboard as ray


@ray.remote(max_restarts=-1)
class Actor:
    def ping(self):
        return "hello"


@ray.remote
class Parent:
    def generate_actors(self):
        self.child = Actor.remote()
        self.detached_actor = Actor.options(name="actor", lifetime="detached").remote()
        return self.child, self.detached_actor, os.getpid()


def main():
    ray.init()
    parent = Parent.remote()
    actor, detached_actor, pid = ray.get(parent.generate_actors.remote())
    print("before:", ray.get(actor.ping.remote()), ray.get(detached_actor.ping.remote()))

    os.kill(pid, signal.SIGKILL)

    # The child answers until its owner's death has been noticed.
    try:
        while True:
            ray.get(actor.ping.remote())
    except ray.exceptions.RayActorError as error:
        print("Failed to submit actor call", error)

    print("detached_actor.ping:", ray.get(detached_actor.ping.remote()))
    same_actor = ray.get_actor("actor")
    print("by its name:", ray.get(same_actor.ping.remote()))

    # Nobody owns a detached actor, so somebody must end it.
    ray.kill(detached_actor)
    ray.shutdown()


if __name__ == "__main__":
    main()
