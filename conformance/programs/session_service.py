"""A named service keeps sessions for several driver processes: made once, expired by a clock of its own, summed up.

Numbers: N1, N4, O4, H6, A4
"""

import os
import subprocess
import sys

import ray

NAME = "sessions"
CLIENTS = 3
VISITORS = 4
ROUNDS = 5
LIFETIME = 20


class SessionExpired(Exception):
    def __init__(self, session):
        super().__init__(f"session {session} has expired")
        self.session = session


class SessionUnknown(KeyError):
    pass


@ray.remote(max_restarts=2)
class SessionService:
    """Sessions with carts; time is what clients say it is, so that nothing depends on a clock."""

    def __init__(self, lifetime):
        self.lifetime = lifetime
        self.now = 0
        self.sessions = {}
        self.totals = {"opened": 0, "expired": 0, "items": 0}

    def tick(self, ticks=1):
        """Let time pass, and let go of sessions that nobody has used."""
        self.now += ticks
        late = [name for name, session in self.sessions.items() if session["until"] < self.now]
        for name in late:
            del self.sessions[name]
        self.totals["expired"] += len(late)
        return len(late)

    def open(self, name):
        """Open a session, or return the one there is."""
        if name not in self.sessions:
            self.sessions[name] = {"cart": {}, "until": 0}
            self.totals["opened"] += 1
        self.sessions[name]["until"] = self.now + self.lifetime
        return name

    def add(self, name, item, amount=1):
        """Put something into the cart of a session."""
        session = self.find(name)
        session["cart"][item] = session["cart"].get(item, 0) + amount
        session["until"] = self.now + self.lifetime
        self.totals["items"] += amount
        return session["cart"][item]

    def cart(self, name):
        return dict(self.find(name)["cart"])

    def find(self, name):
        if name in self.sessions:
            return self.sessions[name]
        if name.startswith("visitor"):
            raise SessionExpired(name)
        raise SessionUnknown(name)

    def names(self):
        return sorted(self.sessions)

    def summary(self):
        return dict(self.totals, sessions=len(self.sessions))

    def identity(self):
        return ray.get_runtime_context().get_actor_id()


def service():
    """Return the service, which the first that asks creates."""
    return SessionService.options(name=NAME, lifetime="detached", get_if_exists=True).remote(LIFETIME)


def client(number):
    """Be a driver of one's own: have visitors shop, all clients in the same sessions."""
    sessions = service()
    for visitor in range(VISITORS):
        ray.get(sessions.open.remote(f"visitor-{visitor}"))
    refs = [
        sessions.add.remote(f"visitor-{visitor}", f"item-{turn}", number + 1)
        for turn in range(ROUNDS)
        for visitor in range(VISITORS)
    ]
    ray.get(refs)
    return ray.get(sessions.identity.remote())


def expectations():
    """Compute what the carts must have: no call lost, none twice."""
    per_item = sum(number + 1 for number in range(CLIENTS))
    return {f"item-{turn}": per_item for turn in range(ROUNDS)}


def shop(namespace):
    """Run all clients at once, as processes; return which actors they met."""
    command = [sys.executable, __file__, namespace]
    clients = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(CLIENTS)
    ]
    said = [process.communicate()[0].split() for process in clients]
    print("exit codes:", [process.returncode for process in clients])
    return {words[-1] for words in said}


def main():
    namespace = f"shop-{os.getpid()}"
    ray.init(namespace=namespace)
    met = shop(namespace)
    print("one service for all:", len(met) == 1)

    sessions = ray.get_actor(NAME)
    print("it is that one:", ray.get(sessions.identity.remote()) in met)
    print("sessions:", ray.get(sessions.names.remote()))
    carts = ray.get([sessions.cart.remote(f"visitor-{visitor}") for visitor in range(VISITORS)])
    print("carts:", carts[0])
    print("sums are right:", all(cart == expectations() for cart in carts))

    print("expired early:", ray.get(sessions.tick.remote(LIFETIME)))
    ray.get(sessions.add.remote("visitor-0", "coffee"))
    print("expired:", ray.get(sessions.tick.remote()))
    print("left:", ray.get(sessions.names.remote()))
    try:
        ray.get(sessions.cart.remote("visitor-1"))
    except ray.exceptions.RayTaskError as error:
        print("refused:", type(error).__name__, error.session)
    try:
        ray.get(sessions.cart.remote("nobody"))
    except KeyError as error:
        print("unknown:", isinstance(error, ray.exceptions.RayTaskError), "nobody" in str(error))
    print("summary:", sorted(ray.get(sessions.summary.remote()).items()))

    again = SessionService.options(name=NAME, get_if_exists=True).remote(1)
    print("found again:", again == sessions, ray.get(again.names.remote()))
    try:
        SessionService.options(name=NAME).remote(1)
    except ValueError as error:
        print("taken:", isinstance(error, ValueError))
    print("named:", ray.util.list_named_actors())

    ray.kill(sessions)
    try:
        ray.get_actor(NAME)
    except ValueError:
        print("closed")
    met_later = shop(namespace)
    print("another service:", len(met_later) == 1, met_later.isdisjoint(met))
    ray.kill(ray.get_actor(NAME))
    ray.shutdown()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ray.init(namespace=sys.argv[1])
        print(client(int(sys.argv[2])))
    else:
        main()
