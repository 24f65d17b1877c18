"""I1, I8: what programs do that call: fork, use threads, cancel their waits, are interrupted, read late, and leave."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.drivers import other_driver
from tests.support.mortals import Mortal, Notes
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard import _serde
from callboard_broker.wire import integer

BOUND = 30
ROOT = Path(__file__).parents[2]

FORKING = """
import os, sys
import callboard as ray
from tests.support.mortals import Mortal
ray.init(namespace="forks", log_to_driver=False)
actor = ray.remote(Mortal).options(name="actor").remote(sys.argv[1])
known = ray.get(actor.note.remote("before"))
ref = actor.note.remote("parent's")
def refused(what):
    try:
        what()
    except ray.exceptions.RaySystemError as error:
        return "forked from" in str(error)
reading, writing = os.pipe()
child = os.fork()
if not child:
    said = [refused(lambda: actor.note.remote("no")), refused(lambda: ray.get(ref)), refused(lambda: ray.kill(actor))]
    ray.init(namespace="forks", log_to_driver=False)
    same = ray.get_actor("actor")
    said += ray.get([same.note.remote(f"child's {number}") for number in range(50)], timeout=20)
    ray.shutdown()
    os.write(writing, repr(said).encode())
    os._exit(0)
told = ray.get([ref, *[actor.note.remote(f"{number}") for number in range(50)]], timeout=20)
assert told == ["parent's", *[f"{number}" for number in range(50)]], told
assert os.waitpid(child, 0)[1] == 0
assert eval(os.read(reading, 1 << 16)) == [True] * 3 + [f"child's {number}" for number in range(50)]
assert ray.get(actor.note.remote("after"), timeout=20) == "after"
ray.shutdown()
"""

INTERRUPTED = """
import sys
import callboard as ray
from tests.support.mortals import Mortal
ray.init(log_to_driver=False)
actor = ray.remote(Mortal).remote(sys.argv[1])
ref = actor.behind.remote(sys.argv[2])
try:
    ray.get(ref)
except KeyboardInterrupt:
    print("interrupted", flush=True)
assert ray.get([ref, actor.note.remote("later")], timeout=20) == ["behind", "later"]
print("went on", flush=True)
ray.get(actor.long.remote())
"""

LEAVING = """
import sys
import callboard as ray
from tests.support.mortals import Mortal
ray.init(log_to_driver=False)
actor = ray.remote(Mortal).options(lifetime="detached", name="stays", namespace="leaving").remote(sys.argv[1])
ray.get(actor.note.remote("here"))
refs = [actor.note.remote(f"{number}") for number in range(200)]
"""


def program(text: str, *words: str) -> subprocess.Popen[str]:
    """Run a program of a user."""
    return subprocess.Popen([sys.executable, "-c", text, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("on_stage")
def test_i1_parent_and_child_of_a_fork_do_not_hear_each_other(notes: Notes) -> None:
    """What the child has inherited says that it is the parent's; on its own it calls as any other program."""
    with program(FORKING, str(notes.path)) as parent:
        assert parent.wait(BOUND) == 0
    assert notes.count("no") == 0


@pytest.mark.usefixtures("on_stage")
def test_i8_a_program_that_is_interrupted_goes_on_or_ends(notes: Notes, gate: Path) -> None:
    """Ctrl-C ends the wait; nothing is lost that came meanwhile; and uncaught it ends the program."""
    with program(INTERRUPTED, str(notes.path), str(gate)) as running:
        assert running.stdout is not None
        wait_until(lambda: notes.count("behind"), what="the call to start")
        # Until it is caught, the program may be about to wait.
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "interrupted\n"
        gate.touch()
        assert running.stdout.readline() == "went on\n"
        wait_until(lambda: notes.count("long"), what="the call to start")
        running.send_signal(signal.SIGINT)
        assert running.wait(BOUND) in {1, -signal.SIGINT}


def test_o6_a_program_that_leaves_waits_for_nothing(ray: ModuleType, notes: Notes) -> None:
    """Its open calls have been accepted when it has ended, and run, in order."""
    with program(LEAVING, str(notes.path)) as leaving:
        assert leaving.wait(BOUND) == 0
    numbers = [f"{number}" for number in range(200)]
    wait_until(lambda: notes.lines()[2:] == numbers, what="the calls to run")
    ray.kill(ray.get_actor("stays", namespace="leaving"))


def test_i1_threads_share_a_handle(ray: ModuleType, notes: Notes) -> None:
    """Each gets its own results, and sees its calls run in the order in which it made them."""
    actor = ray.remote(Mortal).remote(str(notes.path))
    wrong: list[object] = []

    def call(name: int) -> None:
        for number in range(50):
            line = f"{name} {number}"
            if ray.get(actor.note.remote(line), timeout=BOUND) != line:
                wrong.append(line)

    threads = [threading.Thread(target=call, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert wrong == []
    for name in range(8):
        own = [line for line in notes.lines() if line.startswith(f"{name} ")]
        assert own == [f"{name} {number}" for number in range(50)]


def test_i1_a_wait_that_is_cancelled_leaves_the_call_alone(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """The same reference can be awaited again, and others are not disturbed."""
    actor = ray.remote(Mortal).remote(str(notes.path))
    ref, later = actor.behind.remote(str(gate)), actor.note.remote("later")

    async def impatient() -> tuple[Any, Any]:
        waits = [asyncio.ensure_future(_await(ref)) for _ in range(5)]
        other = asyncio.ensure_future(_await(later))
        await asyncio.sleep(0)
        for wait in waits:
            wait.cancel()
        for wait in waits:
            with contextlib.suppress(asyncio.CancelledError):
                await wait
        gate.touch()  # noqa: ASYNC240 - as good as at once
        return await asyncio.wait_for(_await(ref), BOUND), await asyncio.wait_for(other, BOUND)

    assert asyncio.run(impatient()) == ("behind", "later")


async def _await(ref: Any) -> Any:
    return await ref


def test_i10_who_does_not_read_hinders_nobody(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """I1: results wait in the inbox of a program that is stopped, no longer than it lives, and others go on."""
    actor = ray.remote(Mortal).options(name="busy", namespace="slow").remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    with other_driver("slow") as slow:
        slow.do("actor = ray.get_actor('busy')")
        slow.do("refs = [actor.note.remote(str(number)) for number in range(5000)]")
        # So that none of them is held back, to be sent together with more.
        slow.do("ray._session.client().outbound.flush()")
        pid = slow.ask("__import__('os').getpid()")
        os.kill(pid, signal.SIGSTOP)
        try:
            # Behind all of them.
            assert ray.get(actor.note.remote("mine"), timeout=BOUND) == "mine"
            assert notes.count("4999") == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        assert slow.ask("ray.get(refs) == [str(number) for number in range(5000)]")
        keys = on_stage.broker.keys
        inbox = keys.inbox(slow.ask("ray._session.client().id"))
        slow.do("more = ray.get([actor.note.remote('more') for _ in range(5000)])")
        assert integer(on_stage.wire.call("XLEN", inbox)) < 5000


@pytest.mark.parametrize("size", [0, 1, 1 << 17, 1 << 26])
def test_i1_payloads_of_any_size_come_back(ray: ModuleType, size: int) -> None:
    """As an argument and as a result."""
    actor = ray.remote(Echo).remote()
    payload = bytes(size)
    assert ray.get(actor.echo.remote(payload), timeout=BOUND) == payload


def test_i10_a_value_that_is_too_large_for_redis_is_refused(ray: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is passed on, with its size; what is passed on afterwards goes through as ever."""
    monkeypatch.setattr(_serde, "LARGEST", 1 << 20)
    actor = ray.remote(Echo).remote()
    with pytest.raises(TypeError, match=r"2,097,\d+ bytes are more than Redis takes .* in parts"):
        ray.put(bytes(2 << 20))
    assert ray.get(actor.echo.remote(1), timeout=BOUND) == 1


def test_i1_a_call_may_have_very_many_arguments(ray: ModuleType) -> None:
    """By position and by name."""
    actor = ray.remote(Echo).remote()
    assert ray.get(actor.count.remote(*range(10_000), **{f"n{number}": number for number in range(10_000)})) == 20_000


class Echo:
    """Return what it is given."""

    def echo(self, value: Any) -> Any:
        """Return a value."""
        return value

    def count(self, *args: Any, **kwargs: Any) -> int:
        """Count arguments."""
        return len(args) + len(kwargs)
