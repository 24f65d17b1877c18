"""A tree of supervisors with workers that crash: jobs are finished all the same, and a branch dies with its root.

Numbers: O1, O2, R1, R3, R8, X4, K1
"""

import os
import tempfile
import time
from pathlib import Path

import ray

BRANCHES = 2
LEAVES = 2
JOBS = 12


def alive(pid):
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)  # noqa: TID251 - between two looks


class Ledger:
    """Lines in a file: what has happened is known although those who wrote it have crashed."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.touch()

    def add(self, line):
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def count(self, line):
        return self.path.read_text().splitlines().count(line)


@ray.remote(max_restarts=8, max_task_retries=8)
class Leaf:
    """Do jobs; the first attempts at some of them crash the process."""

    def __init__(self, name, ledger):
        self.name = name
        self.ledger = ledger
        self.done = 0
        ledger.add(f"{name} started")

    def work(self, job, crashes):
        self.ledger.add(f"{self.name} attempts {job}")
        if self.ledger.count(f"{self.name} attempts {job}") <= crashes:
            os._exit(1)
        self.done += 1
        return job * job

    def pid(self):
        return os.getpid()

    def restarted(self):
        return ray.get_runtime_context().was_current_actor_reconstructed


@ray.remote(max_restarts=0)
class Doomed:
    """Crash at once, with no restarts left."""

    def work(self):
        os._exit(1)

    def later(self):
        return "not reached"


@ray.remote
class Branch:
    """Own leaves, and give them jobs in turn."""

    def __init__(self, name, ledger):
        self.name = name
        self.ledger = ledger
        self.leaves = [Leaf.remote(f"{name}.{number}", ledger) for number in range(LEAVES)]

    def run(self, jobs):
        """Do all jobs; every third crashes once, and is retried."""
        refs = [
            self.leaves[place % LEAVES].work.remote(job, 1 if job % 3 == 0 else 0) for place, job in enumerate(jobs)
        ]
        return ray.get(refs)

    def members(self):
        return [os.getpid(), *ray.get([leaf.pid.remote() for leaf in self.leaves])]

    def children(self):
        return self.leaves

    def fail(self):
        """Own an actor that fails, and say how that looks."""
        doomed = Doomed.remote()
        found = []
        for ref in (doomed.work.remote(), doomed.later.remote()):
            try:
                found.append(ray.get(ref))
            except ray.exceptions.RayActorError as error:
                found.append(type(error).__name__)
        return found


@ray.remote
class Root:
    """Own branches, and share the jobs among them."""

    def __init__(self, ledger):
        self.branches = [Branch.remote(f"branch-{number}", ledger) for number in range(BRANCHES)]

    def run(self, jobs):
        shares = [jobs[number::BRANCHES] for number in range(BRANCHES)]
        refs = [branch.run.remote(share) for branch, share in zip(self.branches, shares, strict=True)]
        return sorted(result for share in ray.get(refs) for result in share)

    def members(self):
        members = ray.get([branch.members.remote() for branch in self.branches])
        return [os.getpid(), *(pid for branch in members for pid in branch)]

    def branch(self, number):
        return self.branches[number]

    def crash(self):
        os._exit(1)


def outcome(ref):
    try:
        return ray.get(ref, timeout=60)
    except ray.exceptions.RayActorError as error:
        return type(error).__name__


def main():
    ray.init()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"{folder}/ledger")
        root = Root.remote(ledger)
        members = ray.get(root.members.remote())
        print("members:", len(members), "all alive:", all(alive(pid) for pid in members))

        results = ray.get(root.run.remote(list(range(JOBS))))
        print("results:", results)
        print("right:", results == [job * job for job in range(JOBS)])

        attempts = [line for line in ledger.path.read_text().splitlines() if "attempts" in line]
        starts = [line for line in ledger.path.read_text().splitlines() if "started" in line]
        crashes = len([job for job in range(JOBS) if job % 3 == 0])
        print("every job was tried:", len({line.split()[-1] for line in attempts}) == JOBS)
        print("starts:", len(starts), "of which restarts:", len(starts) - BRANCHES * LEAVES, "crashes:", crashes)

        branch = ray.get(root.branch.remote(0))
        leaves = ray.get(branch.children.remote())
        print("restarted leaves:", ray.get([leaf.restarted.remote() for leaf in leaves]))
        print("a child without restarts:", ray.get(branch.fail.remote()))

        leaf = leaves[0]
        pid = ray.get(leaf.pid.remote())
        print("one more job:", outcome(leaf.work.remote(100, 2)))
        print("another process:", ray.get(leaf.pid.remote()) != pid)
        print("too many crashes:", outcome(leaf.work.options(max_task_retries=1).remote(101, 2)))

        members = ray.get(root.members.remote())
        ray.kill(branch)
        branch_pids = members[1 : 2 + LEAVES]
        wait_for(lambda: not any(alive(pid) for pid in branch_pids))
        print("a killed branch takes its leaves:", [outcome(leaf.pid.remote()) for leaf in leaves])
        others = [members[0], *members[2 + LEAVES :]]
        print("the others live:", all(alive(pid) for pid in others))

        print("the root crashes:", outcome(root.crash.remote()))
        wait_for(lambda: not any(alive(pid) for pid in others))
        print("nothing is left:", not any(alive(pid) for pid in members))
    ray.shutdown()


if __name__ == "__main__":
    main()
