"""The fork server and the nursery, with real processes."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.support.brood import ROOT, Brood
from tests.support.waiting import wait_until

from callboard_supervisor import nursery as nursery_module
from callboard_supervisor.nursery import NurseryDied, Spawned, SpawnFailed
from callboard_supervisor.process import Process


@pytest.fixture(autouse=True)
def no_subreaper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the process that runs the tests as it is; the real thing is tested in orphanage.py."""
    monkeypatch.setattr(nursery_module, "become_subreaper", lambda: None)


@pytest.fixture
def brood(tmp_path: Path) -> Iterator[Brood]:
    """A started nursery."""
    brood = Brood(tmp_path)
    yield brood
    brood.close()


def fds_of(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def is_dead(pidfd: int) -> bool:
    """Say whether the process behind a pidfd has ended."""
    return not Process(0, pidfd, 0).alive()


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("return", "exit code 0"),
        ("_exit", "exit code 3"),
        ("exit", "exit code 4"),
        ("fail", "exit code 1"),
        ("kill", "signal 9 (SIGKILL)"),
    ],
)
def test_ends_are_told(brood: Brood, do: str, words: str) -> None:
    """Each way to end is reported as what it was."""
    assert brood.end_of(brood.spawn(do)).describe() == words


def test_entries_of_few_are_imported_when_they_are_asked_for(brood: Brood) -> None:
    """Whoever is forked before that does without their memory; one that cannot be imported fails each time."""
    _, before = brood.spawn_telling("modules")
    for _ in range(2):
        missing = brood.nursery.spawn({}, brood.stdout, brood.stderr, entry="no_such_module:main")
        failed = brood.event(SpawnFailed)
        assert failed.request == missing
        assert "cannot import no_such_module:main" in failed.error
    brood.nursery.spawn({}, brood.stdout, brood.stderr, entry="colorsys:rgb_to_yiq")
    # What is imported here takes more than a config.
    assert brood.end_of(brood.event(Spawned).process).code == 1
    _, after = brood.spawn_telling("modules")
    assert ("colorsys" in before["modules"], "colorsys" in after["modules"]) == (False, True)


def test_programs_and_workers_import_what_they_need() -> None:
    """What few need costs all others megabytes and a third of their start."""
    code = "import sys, callboard.cli, callboard.worker, callboard_supervisor.forkserver; print(*sys.modules)"
    found = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"redis", "rq", "rich", "yaml", "psutil", "tenacity", "asyncio", "ssl"} & set(found)


def test_a_terminated_worker_dies_of_that(brood: Brood) -> None:
    """SIGTERM does what it does to any process, and interrupts from terminals do nothing."""
    worker = brood.spawn("pause")
    worker.signal(signal.SIGINT)
    worker.signal(signal.SIGTERM)
    assert brood.end_of(worker).signal == signal.SIGTERM


def test_a_worker_is_a_process_of_its_own(brood: Brood) -> None:
    """It leads its group, reads nothing, and holds no descriptor, signal handler or random state of others."""
    brood.spawn("pause")
    process, first = brood.spawn_telling("facts")
    _, second = brood.spawn_telling("facts")
    assert (first["pid"], first["group"], first["parent"]) == (process.pid, process.pid, brood.server)
    assert (first["stdin"], first["fds"], first["name"]) == ("/dev/null", [0, 1, 2], "test-facts")
    assert first["ignores_interrupt"]
    assert first["ends_by_terminate"]
    assert first["random"] != second["random"]


def test_a_pid_and_a_start_time_name_a_worker(brood: Brood) -> None:
    """Another supervisor finds the same process by what the first was told."""
    worker = brood.spawn("pause")
    adopted = Process.adopt(worker.pid, worker.start_time)
    assert adopted is not None
    adopted.kill_group()
    adopted.close()
    assert brood.end_of(worker).signal == signal.SIGKILL


def test_output_is_appended_once(brood: Brood) -> None:
    """Each line of each worker is in its file, and nothing that the fork server had not flushed."""
    for word in ("one", "two"):
        brood.end_of(brood.spawn("talk", say=word))
    assert brood.stdout.read_text() == "one\ntwo\n"
    assert brood.stderr.read_text() == "one loudly\ntwo loudly\n"


def test_a_failure_leaves_its_traceback(brood: Brood) -> None:
    """What kills a worker stands in its error file."""
    brood.end_of(brood.spawn("fail"))
    assert "LookupError: this worker fails on purpose" in brood.stderr.read_text()


def test_only_the_workers_exit_handlers_run(brood: Brood) -> None:
    """A worker tidies up what it made itself; handlers from before the fork are not its business."""
    worker, told = brood.spawn_telling("tidy")
    brood.end_of(worker)
    brood.nursery.stop()
    assert brood.exit_log.read_text() == "worker\n"
    assert not Path(told["directory"]).exists()


def test_a_group_dies_with_its_worker(brood: Brood) -> None:
    """Grandchildren do not outlive a worker, whether it was killed or simply ended."""
    for do in ("outlived", "family"):
        pid = brood.directory / f"{do}-grandchild"
        worker = brood.spawn(do, tell=str(pid))
        grandchild = os.pidfd_open(wait_until(partial(grandchild_in, pid), what="the grandchild's pid"))
        if do == "family":
            worker.kill_group()
        brood.end_of(worker)
        wait_until(partial(is_dead, grandchild), what="the grandchild's end")
        os.close(grandchild)


def grandchild_in(told: Path) -> int:
    """Read the pid of a grandchild; 0 while there is none."""
    return int(json.loads(told.read_text())["grandchild"]) if told.exists() else 0


@pytest.mark.parametrize("entry", ["tests.support.no_such_module:main", "tests.support.fork_entry:no_such_name"])
def test_a_bad_entry_fails_each_request(tmp_path: Path, entry: str) -> None:
    """Nothing is retried: the answer says what cannot be imported, and the fork server stays."""
    brood = Brood(tmp_path, entry)
    for _ in range(2):
        request = brood.ask("return")
        failed = brood.event(SpawnFailed)
        assert failed.request == request
        assert "no_such" in failed.error
    brood.close()


def test_a_bad_log_fails_its_request_only(brood: Brood) -> None:
    """A worker that cannot have its log is not started; the next one is."""
    request = brood.nursery.spawn({"do": "return"}, brood.directory / "no" / "such", brood.stderr)
    failed = brood.event(SpawnFailed)
    assert failed.request == request
    assert "FileNotFoundError" in failed.error
    assert brood.end_of(brood.spawn("return")).code == 0


def test_a_worker_that_cannot_be_watched_is_ended(brood: Brood) -> None:
    """With no descriptor left for its pidfd, the worker is killed and the request has failed."""
    request = brood.ask("pause")
    with full_of_descriptors():
        failed = brood.event(SpawnFailed)
    assert failed.request == request
    assert "no file descriptor left" in failed.error
    wait_until(lambda: not children_of(brood.server), what="the end of the worker")


@contextlib.contextmanager
def full_of_descriptors() -> Iterator[None]:
    """Let this process open nothing more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as taken:
        taken.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                taken.callback(os.close, os.dup(0))
        yield


def test_a_config_has_a_limit(brood: Brood) -> None:
    """What does not fit into a message is refused at once."""
    with pytest.raises(ValueError, match="65536 bytes at most"):
        brood.ask("return", text="x" * 70_000)


def test_a_burst_is_served(brood: Brood) -> None:
    """More requests than the socket holds neither block the supervisor nor get lost."""
    requests = {brood.ask("return", text="x" * 40_000) for _ in range(40)}
    assert brood.nursery._unsent, "the burst was no burst"
    for number in requests:
        process = brood.event(Spawned, lambda event, number=number: event.request == number).process
        assert brood.end_of(process).code == 0


def test_spawns_leak_nothing(brood: Brood) -> None:
    """After 50 workers, supervisor and fork server have the descriptors and children of before."""
    before: tuple[object, ...] = ()
    for number in range(51):
        brood.end_of(brood.spawn("return"))
        brood.processes.popitem()[1].close()
        if not number:
            before = what_is_open(brood)
    assert what_is_open(brood) == before


def what_is_open(brood: Brood) -> tuple[int, int, list[str]]:
    """Count descriptors of supervisor and fork server, and children of the latter, when it has done all before."""
    # It serves one message after the other; the answer to a request that opens nothing comes when the rest is done.
    brood.nursery.spawn({}, brood.directory / "no" / "such", brood.stderr)
    brood.event(SpawnFailed)
    return fds_of(os.getpid()), fds_of(brood.server), children_of(brood.server)


def children_of(pid: int) -> list[str]:
    """List the children of a process with one thread."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_workers_outlive_the_supervisor(brood: Brood) -> None:
    """When the supervisor's end is closed, the fork server ends and its workers stay."""
    worker = brood.spawn("pause")
    server = os.pidfd_open(brood.server)
    assert brood.nursery._channel is not None
    brood.nursery._channel.close()
    wait_until(lambda: is_dead(server), what="the end of the fork server")
    os.close(server)
    assert worker.alive()


def test_a_dead_fork_server_names_what_it_owes(brood: Brood) -> None:
    """Requests that brought no worker are named, and those of the next fork server are served."""
    os.kill(brood.server, signal.SIGSTOP)
    requests = (brood.ask("return"), brood.ask("return"))
    os.kill(brood.server, signal.SIGKILL)
    died = brood.event(NurseryDied)
    assert died.exit.signal == signal.SIGKILL
    assert died.unanswered == requests
    with pytest.raises(RuntimeError, match="does not run"):
        brood.ask("return")
    brood.nursery.restart()
    assert brood.end_of(brood.spawn("return")).code == 0


def test_a_nursery_can_be_stopped_at_any_time(brood: Brood) -> None:
    """Twice, and before it was started."""
    nursery_module.Nursery().stop()
    brood.nursery.stop()
    brood.nursery.stop()
    assert brood.nursery.receive() == []


def test_orphans_keep_their_exit_codes(tmp_path: Path) -> None:
    """When the fork server is killed, its workers live on and their ends are still told by exit code and signal."""
    script = ROOT / "tests" / "support" / "orphanage.py"
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, tmp_path], env=environ, check=True, timeout=50)
    assert json.loads((tmp_path / "found").read_text()) == {
        "before the news": {},
        "fork server": "signal 9 (SIGKILL)",
        "unanswered": True,
        "zombie": "signal 9 (SIGKILL)",
        "worker lives": True,
        "late": "exit code 7",
        "family": "signal 9 (SIGKILL)",
        "after restart": "exit code 4",
        "children left": [],
    }


def test_how_long_it_takes(brood: Brood) -> None:
    """A worker is there and its death is told; the times are printed, not judged."""
    births, deaths = [], []
    for _ in range(10):
        asked = time.monotonic_ns()
        worker, told = brood.spawn_telling("clock")
        births.append(told["now"] - asked)
        brood.end_of(worker)
        worker = brood.spawn("pause")
        killed = time.monotonic_ns()
        worker.kill_group()
        brood.end_of(worker)
        deaths.append(time.monotonic_ns() - killed)
    middle = len(births) // 2
    sys.stdout.write(f"\nrequest to first line {sorted(births)[middle] / 1e6:.2f} ms\n")
    sys.stdout.write(f"SIGKILL to report {sorted(deaths)[middle] / 1e6:.2f} ms\n")
