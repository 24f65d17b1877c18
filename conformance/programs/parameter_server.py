"""A parameter server that takes stale gradients: workers fit a line together, none runs too far ahead.

Numbers: A2, A3, A5, H4
"""

import random

import ray

DIMENSIONS = 4
WORKERS = 4
STEPS = 150
BOUND = 3
RATE = 0.05
TRUTH = [2.0, -1.0, 0.5, 3.0]


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def mean_squared_error(weights, rows):
    return sum((dot(weights, x) - y) ** 2 for x, y in rows) / len(rows)


class DataLoader:
    """Rows of one worker: the same for the same seed, so that every run is alike."""

    def __init__(self, seed, size=64):
        self.random = random.Random(seed)
        self.rows = [self.row() for _ in range(size)]

    def row(self):
        x = [self.random.uniform(-1, 1) for _ in range(DIMENSIONS)]
        return x, dot(TRUTH, x)

    def batch(self, size=16):
        return self.random.sample(self.rows, size)


@ray.remote
class ParameterServer:
    """Keep the weights and a clock per worker."""

    def __init__(self, dimensions, rate):
        self.weights = [0.0] * dimensions
        self.rate = rate
        self.applied = 0
        self.worst = 0
        self.clocks = {}

    def register(self, worker):
        self.clocks[worker] = 0
        return len(self.clocks)

    def pull(self):
        """Return the weights and the version that they are of."""
        return list(self.weights), self.applied

    def push(self, worker, gradient, version):
        """Apply a gradient that may be stale; return how many others were applied since its weights were read."""
        staleness = self.applied - version
        self.worst = max(self.worst, staleness)
        self.weights = [w - self.rate * g for w, g in zip(self.weights, gradient, strict=True)]
        self.applied += 1
        self.clocks[worker] += 1
        return staleness

    def slowest(self):
        return min(self.clocks.values())

    def summary(self):
        return {"applied": self.applied, "worst": self.worst, "clocks": dict(self.clocks)}


@ray.remote
class Worker:
    """Compute gradients on rows of its own, a bounded number of steps ahead of the slowest."""

    def __init__(self, number, server):
        self.number = number
        self.server = server
        self.loader = DataLoader(number)
        self.step = 0

    def ready(self):
        return ray.get(self.server.register.remote(self.number))

    def gradient(self, weights):
        rows = self.loader.batch()
        found = [0.0] * DIMENSIONS
        for x, y in rows:
            error = dot(weights, x) - y
            found = [g + 2 * error * value / len(rows) for g, value in zip(found, x, strict=True)]
        return found

    def advance(self):
        """Do one step unless that is too far ahead; return the steps done."""
        if self.step - ray.get(self.server.slowest.remote()) >= BOUND:
            return self.step
        weights, version = ray.get(self.server.pull.remote())
        ray.get(self.server.push.remote(self.number, self.gradient(weights), version))
        self.step += 1
        return self.step

    def loss(self, weights):
        return mean_squared_error(weights, self.loader.rows)


def train_synchronously(workers):
    """Step with the mean of all gradients, each computed from the same weights."""
    reference = ray.put([0.0] * DIMENSIONS)
    for _ in range(STEPS):
        gradients = ray.get([worker.gradient.remote(reference) for worker in workers])
        mean = [sum(column) / len(column) for column in zip(*gradients, strict=True)]
        weights = [w - 4 * RATE * g for w, g in zip(ray.get(reference), mean, strict=True)]
        reference = ray.put(weights)
    return ray.get(reference)


def train_asynchronously(workers):
    """Let whoever is done go on, until all have done their steps."""
    running = {worker.advance.remote(): worker for worker in workers}
    done = {}
    while running:
        (ready,), _ = ray.wait(list(running))
        worker = running.pop(ready)
        steps = ray.get(ready)
        if steps < STEPS:
            running[worker.advance.remote()] = worker
        else:
            done[worker] = steps
    return sorted(done.values())


def main():
    ray.init()
    server = ParameterServer.remote(DIMENSIONS, RATE)
    workers = [Worker.remote(number, server) for number in range(WORKERS)]
    print("workers:", sorted(ray.get([worker.ready.remote() for worker in workers])))

    weights = train_synchronously(workers)
    losses = ray.get([worker.loss.remote(weights) for worker in workers])
    print("synchronous:", [round(weight, 2) for weight in weights], "converged:", max(losses) < 1e-3)

    print("steps:", train_asynchronously(workers))
    summary = ray.get(server.summary.remote())
    print("applied updates:", summary["applied"], "of", WORKERS * STEPS)
    print("clocks:", sorted(summary["clocks"].items()))
    # While one gradient is computed each other worker can apply at most as many as its lead and the bound allow.
    print("staleness bound kept:", summary["worst"] <= (WORKERS - 1) * (2 * BOUND))

    weights, version = ray.get(server.pull.remote())
    losses = ray.get([worker.loss.remote(weights) for worker in workers])
    print("asynchronous:", [round(weight, 1) for weight in weights], "converged:", max(losses) < 1e-2)
    print("version:", version)

    del workers, server
    ray.shutdown()
    print("connected:", ray.is_initialized())


if __name__ == "__main__":
    main()
