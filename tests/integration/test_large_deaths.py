"""Large values and the deaths of those who gave or were to take them: nothing lost that can be had, nothing left."""

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.drivers import OtherDriver, other_driver
from tests.support.forgetful import forgetful
from tests.support.haulers import AsyncHauler, Crate, Hauler, digest, in_segments
from tests.support.looking import beats, gone, record, wait_for_death
from tests.support.mortals import Notes
from tests.support.stage import Stage
from tests.support.supervisors import another_supervisor, supervisor_elsewhere
from tests.support.waiting import wait_until

import callboard

BOUND = 30
LARGE = 300_000
#: A longer run asks for more.
ROUNDS = int(os.environ.get("LARGE_ROUNDS", "10"))


def load(driver: OtherDriver, lines: str) -> None:
    """Have another driver know the large values and their actors."""
    driver.do(f"import random; from tests.support.haulers import *; {lines}")


def test_r7_a_retried_call_gets_the_same_arguments(ray: ModuleType, notes: Notes) -> None:
    """The process is killed while it runs a call with a large argument; the next one finds it where it was."""
    actor = ray.remote(Hauler).options(max_restarts=-1, max_task_retries=1).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    for value in (Crate(bytearray(random.randbytes(LARGE))), random.randbytes(LARGE)):
        known = digest(value)
        assert ray.get([actor.die_once.remote(value), actor.digest.remote(value)], timeout=BOUND) == [known, known]
        assert notes.count(known) == 2
    assert in_segments() == []


def test_o6_calls_of_a_dead_caller_run_with_their_arguments(
    ray: ModuleType, on_stage: Stage, notes: Notes, gate: Path
) -> None:
    """They stay until the calls have run, and go then, although other calls keep coming."""
    actor = ray.remote(Hauler).options(name="hauler", namespace="all", lifetime="detached").remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    with other_driver("all") as driver:
        load(driver, "hauler = ray.get_actor('hauler')")
        driver.do(f"waits = hauler.wait.remote({str(gate)!r}, Crate(bytes({LARGE})))")
        driver.do(f"value = Crate(bytearray(random.randbytes({LARGE}))); ref = hauler.note.remote(value)")
        driver.do("ray._session.client().outbound.flush()")
        known = driver.ask("digest(value)")
        wait_until(lambda: len(in_segments()) == 2, what="the arguments")
        wait_until(lambda: "waits" in notes.lines(), what="the first call")
        driver.kill()
    mine = [actor.digest.remote(b"1") for _ in range(3)]
    node = record(on_stage, actor._actor_id).node
    before = beats(on_stage, node)
    wait_until(lambda: beats(on_stage, node) >= before + 5, what="some sweeps")
    assert len(in_segments()) == 2
    gate.touch()
    ray.get(mine, timeout=BOUND)
    assert known in notes.lines()
    wait_until(lambda: in_segments() == [], what="the arguments to go")
    ray.kill(actor)
    wait_for_death(actor)


def test_o6_arguments_of_a_dead_caller_go_while_the_actor_is_busy(
    ray: ModuleType, notes: Notes, tmp_path: Path
) -> None:
    """What its calls left goes when they have run, also when the mailbox is never empty."""
    actor = ray.remote(Hauler).options(name="busy", namespace="all", lifetime="detached").remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    with other_driver("all") as driver:
        load(driver, "hauler = ray.get_actor('busy')")
        driver.do(f"ref = hauler.wait.remote({str(tmp_path / 'gate0')!r}, Crate(bytes({LARGE})))")
        wait_until(lambda: len(in_segments()) == 1, what="the arguments")
        driver.kill()
    refs = []
    for number in range(1, 50):
        # One waits whenever one ends.
        refs.append(actor.wait.remote(str(tmp_path / f"gate{number}")))
        (tmp_path / f"gate{number - 1}").touch()
        wait_until(lambda: notes.count("waits") == len(refs) + 1, what="the next call")
        with contextlib.suppress(AssertionError):
            wait_until(lambda: in_segments() == [], what="a sweep", timeout=0.2)
            break
    assert in_segments() == []
    assert number > 1
    (tmp_path / f"gate{number}").touch()
    ray.get(refs, timeout=BOUND)
    ray.kill(actor)
    wait_for_death(actor)


def test_outcomes_for_a_dead_caller_go(ray: ModuleType, notes: Notes, gate: Path) -> None:
    """Those that it had not read, and those that come when it is dead."""
    actor = ray.remote(Hauler).options(name="giver", namespace="all", lifetime="detached").remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    with other_driver("all") as driver:
        load(driver, "giver = ray.get_actor('giver')")
        driver.do(f"refs = [giver.make.remote({LARGE}), giver.crate.remote({LARGE})]; ray.wait(refs, num_returns=2)")
        driver.do(f"kept = ray.get(refs[1]); late = giver.wait.remote({str(gate)!r}, Crate(bytes({LARGE})))")
        wait_until(lambda: len(in_segments()) == 3, what="two outcomes and an argument")
        driver.kill()
    wait_until(lambda: len(in_segments()) == 1, what="the outcomes to go")
    gate.touch()
    wait_until(lambda: in_segments() == [], what="the rest to go")
    assert ray.get(actor.digest.remote(b"1"), timeout=BOUND) == digest(b"1")
    ray.kill(actor)
    wait_for_death(actor)


def test_what_a_worker_wrote_before_its_death_goes(ray: ModuleType, on_stage: Stage, notes: Notes) -> None:
    """A half-written outcome has a name that nobody knows; its caller takes it away, and gets that of the next one."""
    actor = ray.remote(Hauler).options(max_restarts=-1, max_task_retries=-1).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    for _ in range(3):
        ray.get(actor.__ray_call__.remote(_die_before_the_commit), timeout=BOUND)
        pid = notes.pid
        assert ray.get(actor.make.remote(LARGE), timeout=BOUND) == bytes(LARGE)
        assert notes.pid != pid
    wait_until(lambda: in_segments() == [], what="halves to go")
    assert on_stage.workers()


def _die_before_the_commit(_: object) -> None:
    """Have this process be killed when it has written a large outcome."""
    from callboard_broker.segments import Segments  # noqa: PLC0415 - what is spoiled here

    write = Segments.write

    def last(self: Segments, *where: Any) -> bool:
        write(self, *where)
        os.kill(os.getpid(), signal.SIGKILL)
        return True

    Segments.write = last  # type: ignore[assignment,method-assign]


def test_an_outcome_that_is_journaled_arrives(ray: ModuleType, notes: Notes) -> None:
    """X4: what finished before a crash is not lost, large as it may be: the supervisor settles it."""
    actor = ray.remote(Hauler).options(max_restarts=-1).remote(str(notes.path))
    ray.get(actor.pid.remote(), timeout=BOUND)
    for seed in range(4):
        made, dies = actor.make.remote(LARGE, seed), actor.__ray_call__.remote(_die)
        assert ray.get(made, timeout=BOUND) == bytes([seed]) * LARGE
        with pytest.raises(ray.exceptions.ActorUnavailableError):
            ray.get(dies, timeout=BOUND)
        ray.get(actor.__ray_ready__.options(max_task_retries=-1).remote(), timeout=BOUND)


def _die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_i1_a_server_that_forgets_is_told_again(notes: Notes, gate: Path) -> None:
    """Large calls that it had accepted are posted again, and their arguments are where they were."""
    with forgetful() as board:
        actor: Any = callboard.remote(Hauler).options(max_restarts=-1).remote(str(notes.path))
        callboard.get([actor.digest.remote(bytes(LARGE)), actor.wait.remote(str(notes.path))], timeout=BOUND)
        board.remember()
        waits = actor.wait.remote(str(gate))
        values = [Crate(bytearray(random.randbytes(LARGE))), random.randbytes(LARGE)]
        refs = [*[actor.digest.remote(value) for value in values], actor.crate.remote(LARGE, 7)]
        wait_until(lambda: len(in_segments()) == 2, what="the arguments")
        wait_until(lambda: notes.count("waits") == 2, what="the call before")
        board.forget()
        gate.touch()
        *known, crate = callboard.get(refs, timeout=BOUND)
        assert known == [digest(value) for value in values]
        assert digest(crate) == digest(b"\7" * LARGE)
        assert callboard.get(waits, timeout=BOUND) is None


@pytest.mark.timeout(600)
def test_killing_either_side_leaves_nothing(ray: ModuleType, notes: Notes) -> None:
    """I6: callers and workers are killed at any moment; what others have is right, and all the rest goes."""
    actor = (
        ray.remote(Hauler)
        .options(name="hauler", namespace="all", lifetime="detached", max_restarts=-1, max_task_retries=-1)
        .remote(str(notes.path))
    )
    ray.get(actor.pid.remote(), timeout=BOUND)
    kept = [ray.get(actor.crate.remote(LARGE, seed), timeout=BOUND) for seed in range(3)]
    for number in range(ROUNDS):
        with other_driver("all") as driver:
            load(driver, "hauler = ray.get_actor('hauler')")
            driver.do("values = [Crate(bytearray(random.randbytes(200_000 + n))) for n in range(4)]")
            driver.tell("refs = [hauler.echo.remote(value) for _ in range(200) for value in values]; ray.get(refs)")
            value = Crate(bytearray(random.randbytes(LARGE + number)))
            mine = [actor.echo.remote(value) for _ in range(5)]
            wait_until(lambda: len(in_segments()) > 5, what="values to be under way")
            if number % 3 != 1:
                # The process that was killed last may not have a successor yet.
                wait_until(lambda: not gone(notes.pid), what="the actor's process")
                os.kill(notes.pid, signal.SIGKILL)
            if number % 3 != 0:
                driver.kill()
            for found in ray.get(mine, timeout=BOUND):
                assert digest(found) == digest(value)
    del mine, found
    wait_until(lambda: len(in_segments()) == len(kept), what="all but what is kept to go", timeout=BOUND)
    assert [digest(value) for value in kept] == [digest(bytes([seed]) * LARGE) for seed in range(3)]
    ray.kill(actor)
    wait_for_death(actor)


@contextlib.contextmanager
def elsewhere(stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Run a supervisor with a shared memory of its own, as on another host, that has room for what is moved."""
    with monkeypatch.context() as patched:
        patched.setenv("CALLBOARD_SHM_DIR", str(folder))
        starting = supervisor_elsewhere(stage, '--resources={"there": 5}')
        process = starting.__enter__()
    try:
        yield process
    finally:
        starting.__exit__(None, None, None)


def moved(ray: ModuleType, stage: Stage, kind: type, before: Any) -> Any:
    """Create an actor on a node of this host, let the caller call it, and have that node leave."""
    options = {"resources": {"there": 1}, "max_restarts": -1, "max_task_retries": -1}
    with another_supervisor(stage, resources='{"there": 5}', **{"graceful-timeout": "1"}):
        actor = ray.remote(kind).options(**options).remote()
        ray.get(actor.pid.remote(), timeout=BOUND)
        ray.get(actor.digest.remote(bytes(LARGE)), timeout=BOUND)
        return actor, before(actor)


@pytest.mark.parametrize("kind", [Hauler, AsyncHauler])
def test_i1_an_actor_that_was_moved_gets_its_arguments(
    ray: ModuleType, on_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Path, kind: type
) -> None:
    """Calls that waited while the actor went to another host run there, with what the caller sends again, in order."""
    values = [Crate(bytearray(random.randbytes(LARGE))), random.randbytes(LARGE)]
    asynchronous = kind is AsyncHauler

    def before(actor: Any) -> list[Any]:
        method = actor.adigest if asynchronous else actor.keep
        return [actor.wait.remote(str(gate)), *[method.remote(value) for value in values], actor.kept.remote()]

    actor, (waits, *refs) = moved(ray, on_stage, kind, before)
    gate.touch()
    with elsewhere(on_stage, tmp_path / "elsewhere", monkeypatch):
        ray.get(waits, timeout=BOUND)
        found = ray.get(refs, timeout=BOUND)
        known = [digest(value) for value in values]
        assert found == ([*known, []] if asynchronous else [1, 2, known])
        assert in_segments() == []
        # From here on through Redis.
        assert ray.get(actor.echo.remote(values[1]), timeout=BOUND) == values[1]
        ray.kill(actor)
        wait_for_death(actor)
        del actor


def test_i1_a_caller_that_does_not_wait_sends_again(
    ray: ModuleType, on_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Path
) -> None:
    """It hears at a beat what the worker wants, although nobody reads its inbox."""

    def before(actor: Any) -> list[Any]:
        return [actor.wait.remote(str(gate)), actor.keep.remote(Crate(bytearray(LARGE)))]

    actor, refs = moved(ray, on_stage, Hauler, before)
    gate.touch()
    mailbox = on_stage.broker.keys.mailbox(actor._actor_id)
    with elsewhere(on_stage, tmp_path / "elsewhere", monkeypatch):
        wait_until(lambda: not on_stage.wire.call("XLEN", mailbox), what="the calls to have run", timeout=BOUND)
        assert ray.get(refs[1], timeout=BOUND) == 1
        ray.kill(actor)
        wait_for_death(actor)
        del actor


@pytest.mark.parametrize("kind", [Hauler, AsyncHauler])
def test_i8_arguments_that_nobody_has_any_more_are_lost(
    ray: ModuleType, on_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Path, kind: type
) -> None:
    """The caller is dead, or what it lent is gone, too: the call raises, and those behind it run."""

    def before(actor: Any) -> tuple[Any, ...]:
        waits = actor.wait.remote(str(gate))
        with other_driver("all") as driver:
            load(driver, "")
            driver.do("import pickle, callboard")
            known = on_stage.log_dir / "handle"
            known.write_bytes(_pickled(actor))
            driver.do(f"hauler = pickle.loads(open({str(known)!r}, 'rb').read())")
            driver.do(f"hauler.digest.remote(bytes({LARGE})); ref = hauler.keep.remote(bytes({LARGE}))")
            driver.do("ray._session.client().outbound.flush()")
            wait_until(lambda: len(in_segments()) == 2, what="the arguments")
            mine = actor.keep.remote(Crate(bytes(LARGE)))
            wait_until(lambda: len(in_segments()) == 3, what="the arguments")
            driver.kill()
        lost = actor.keep.remote(bytes(2 * LARGE))
        for path in in_segments():
            if path.stat().st_size > 2 * LARGE:
                path.unlink()
        return waits, mine, lost, actor.kept.remote()

    actor, (waits, mine, lost, kept) = moved(ray, on_stage, kind, before)
    gate.touch()
    with elsewhere(on_stage, tmp_path / "elsewhere", monkeypatch):
        ray.get(waits, timeout=BOUND)
        assert ray.get(mine, timeout=BOUND) == 1
        with pytest.raises(
            ray.exceptions.ObjectLostError, match=r"arguments of keep are lost.*did not send them again"
        ):
            ray.get(lost, timeout=BOUND)
        ray.get(kept, timeout=BOUND)
        assert ray.get(actor.kept.remote(), timeout=BOUND) == [digest(bytes(LARGE))]
        ray.kill(actor)
        wait_for_death(actor)
        del actor


def _pickled(actor: Any) -> bytes:
    import pickle  # noqa: PLC0415 - only here

    return pickle.dumps(actor)
