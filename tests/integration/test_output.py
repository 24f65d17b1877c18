"""L5: what actors write is shown in the terminal of the program that they work for."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support import leaks
from tests.support.drivers import other_driver
from tests.support.holding import BOUND
from tests.support.looking import state, wait_for_death, wait_for_restart
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.supervisors import another_supervisor
from tests.support.talkers import Named, Talker
from tests.support.waiting import wait_until

import callboard
from callboard import _session
from callboard_broker.output import KIND, Batch
from callboard_broker.wire import integer, items, text


class Screen:
    """What has been shown so far."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._out: list[str] = []
        self._err: list[str] = []

    @property
    def out(self) -> list[str]:
        """The lines on stdout."""
        self._look()
        return self._out

    @property
    def err(self) -> list[str]:
        """The lines on stderr."""
        self._look()
        return self._err

    def shows(self, *lines: str) -> None:
        """Wait until these are the lines on stdout."""
        wait_until(lambda: len(self.out) >= len(lines), what=f"{lines} to be shown")
        assert self.out == list(lines)

    def _look(self) -> None:
        captured = self._capture.readouterr()
        self._out += captured.out.splitlines()
        self._err += captured.err.splitlines()


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Screen:
    """Watch what is shown."""
    return Screen(capsys)


def channel(stage: Stage) -> bytes:
    """Return the channel of this program's job."""
    return stage.broker.keys.output(_session.client().identity.job_id)


def listeners(stage: Stage) -> int:
    """Count who listens to the output of this program's job."""
    return integer(items(stage.wire.call("PUBSUB", "NUMSUB", channel(stage)))[1])


def test_l5_lines_are_shown_with_class_and_process(ray: ModuleType, screen: Screen) -> None:
    """L5: stdout on stdout and stderr on stderr, also what is written past Python's streams."""
    talker = ray.remote(Talker).remote()
    pid = ray.get(talker.say.remote("hello", ""), timeout=BOUND)
    ray.get(talker.write.remote("né\n".encode()), timeout=BOUND)
    screen.shows(f"(Talker pid={pid}) hello", f"(Talker pid={pid}) ", f"(Talker pid={pid}) né")
    ray.get(talker.complain.remote("oh"), timeout=BOUND)
    wait_until(lambda: screen.err == [f"(Talker pid={pid}) oh"], what="stderr to be shown")
    assert len(screen.out) == 3


def test_l5_an_actor_with_a_repr_is_called_so(ray: ModuleType, screen: Screen) -> None:
    """L5: once it has one; its constructor's lines may bear the name of its class."""
    named = ray.remote(Named).remote("Ann")
    pid = ray.get(named.say.remote("hello"), timeout=BOUND)
    wait_until(lambda: f"(Named(Ann) pid={pid}) hello" in screen.out, what="the line")
    assert re.fullmatch(rf"\(Named(\(Ann\))? pid={pid}\) Ann is being born", screen.out[0])


def test_l5_log_to_driver_false_shows_nothing(on_stage: Stage, screen: Screen) -> None:
    """L5: nobody even listens; the file has it."""
    callboard.init(on_stage.address, log_to_driver=False)
    assert listeners(on_stage) == 0
    assert "callboard-terminal" not in {thread.name for thread in threading.enumerate()}
    talker: Any = callboard.remote(Talker).remote()
    callboard.get(talker.say.remote("quiet"), timeout=BOUND)
    path = on_stage.log_dir / f"Talker-{talker._actor_id}.out"
    assert path.read_text() == "quiet\n"
    callboard.shutdown()
    assert (screen.out, screen.err) == ([], [])


def test_l5_only_lines_of_ones_own_job(ray: ModuleType, on_stage: Stage, screen: Screen) -> None:
    """L5: those of actors that one's actors made, too; those of other programs' actors are not shown."""
    assert listeners(on_stage) == 1
    talker = ray.remote(Talker).remote()
    with other_driver("others") as other:
        other.do("from tests.support.talkers import Talker")
        other.do("talker = ray.remote(Talker).remote()")
        other.do("ray.get(talker.say.remote('theirs'))")
        child, handle = ray.get(talker.tell_child.remote("the child's"), timeout=BOUND)
        pid = ray.get(talker.say.remote("ours"), timeout=BOUND)
        wait_until(lambda: len(screen.out) >= 2, what="both lines")
        assert set(screen.out) == {f"(Talker pid={child}) the child's", f"(Talker pid={pid}) ours"}
        del handle
    assert not any("theirs" in line for line in screen.out)


def test_l5_a_crash_loses_no_line(ray: ModuleType, screen: Screen) -> None:
    """L5: not even half a one; the next process's lines bear its own pid."""
    talker = ray.remote(max_restarts=1, max_task_retries=0)(Talker).remote()
    first = ray.get(talker.say.remote("alive"), timeout=BOUND)
    talker.die_saying.remote("the end\nand ha")
    wait_for_restart(talker, 1)
    second = ray.get(talker.say.remote("back"), timeout=BOUND)
    assert first != second
    screen.shows(
        f"(Talker pid={first}) alive",
        f"(Talker pid={first}) the end",
        f"(Talker pid={first}) and ha",
        f"(Talker pid={second}) back",
    )


def test_l5_what_was_written_is_shown_before_shutdown_returns(ray: ModuleType, screen: Screen) -> None:
    """L5: all of it, in order."""
    talker = ray.remote(Talker).remote()
    pid = ray.get(talker.count_to.remote(20_000), timeout=BOUND)
    ray.shutdown()
    assert screen.out == [f"(Talker pid={pid}) line {number}" for number in range(1, 20_001)]


def test_l5_a_slow_supervisor_is_waited_for_at_the_end(ray: ModuleType, on_stage: Stage, screen: Screen) -> None:
    """L5: it reads what actors write, and may have no processor for a while."""
    talker = ray.remote(Talker).remote()
    pid = ray.get(talker.say.remote("before"), timeout=BOUND)
    screen.shows(f"(Talker pid={pid}) before")
    os.kill(on_stage.supervisor.pid, signal.SIGSTOP)
    timer = threading.Timer(HEARTBEAT_TIMEOUT / 2, os.kill, [on_stage.supervisor.pid, signal.SIGCONT])
    ray.get(talker.say.remote("after"), timeout=BOUND)
    timer.start()
    ray.shutdown()
    assert screen.out == [f"(Talker pid={pid}) before", f"(Talker pid={pid}) after"]
    timer.join()


def test_l5_repeated_lines_are_folded(ray: ModuleType, screen: Screen) -> None:
    """L5: what several processes write is shown once, and with its number when the program ends at the latest."""
    talkers = [ray.remote(Talker).remote() for _ in range(4)]
    ray.get([talker.say.remote("the same") for talker in talkers], timeout=BOUND)
    ray.get([talker.say.remote(f"{number}") for number, talker in enumerate(talkers)], timeout=BOUND)
    ray.shutdown()
    same = [line for line in screen.out if "the same" in line]
    assert len(same) == 2
    assert re.match(r"\(Talker pid=\d+\) the same \[repeated 3x across cluster\] \(callboard folds", same[1])
    assert len(screen.out) == 2 + 4


def test_l5_folding_can_be_switched_off(on_stage: Stage, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """L5: by CALLBOARD_DEDUP_LOGS=0."""
    monkeypatch.setenv("CALLBOARD_DEDUP_LOGS", "0")
    callboard.init(on_stage.address)
    talkers: list[Any] = [callboard.remote(Talker).remote() for _ in range(3)]
    pids = callboard.get([talker.say.remote("the same") for talker in talkers], timeout=BOUND)
    callboard.shutdown()
    assert sorted(screen.out) == sorted(f"(Talker pid={pid}) the same" for pid in pids)


def test_l5_a_flood_stops_nobody(ray: ModuleType, on_stage: Stage, screen: Screen) -> None:
    """L5: more than can be shown is skipped and said so; the writer does not wait, and others are shown meanwhile."""
    flood, other = ray.remote(Talker).remote(), ray.remote(Talker).remote()
    ray.get(other.say.remote("here"), timeout=BOUND)
    pid = ray.get(flood.count_to.remote(200_000, width=100), timeout=BOUND)
    assert ray.get(other.say.remote("still here"), timeout=BOUND) != pid
    wait_until(lambda: any("still here" in line for line in screen.out), what="the other's line")
    wait_until(lambda: any(re.search(r"line +200000$", line) for line in screen.out), what="the last", timeout=20)
    told = [line for line in screen.out if "were too much to be shown" in line]
    assert told
    assert all(f"{on_stage.log_dir}/Talker-{flood._actor_id}.out" in line for line in told)
    assert os.path.getsize(f"{on_stage.log_dir}/Talker-{flood._actor_id}.out") == 200_000 * 106  # noqa: PTH202


def test_i9_only_what_the_cluster_key_signed_is_shown(
    ray: ModuleType, on_stage: Stage, screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    """I9: forged lines are refused, and lines that were sent already are not shown again."""
    talker = ray.remote(Talker).remote()
    job = _session.client().identity.job_id
    genuine = Batch("some node", 10, "elsewhere", "Fake", 5, "out", ("signed",))
    signer = on_stage.broker.signer(KIND, job)
    wire = on_stage.wire
    for message in (b"", b"nonsense", genuine.pack(on_stage.broker.signer(KIND, "other")), b"0" * 32 + b"{}"):
        wire.call("PUBLISH", channel(on_stage), message)
    for _ in range(2):
        wire.call("PUBLISH", channel(on_stage), genuine.pack(signer))
    wire.call("PUBLISH", channel(on_stage), replace(genuine, number=14, lines=("later",)).pack(signer))
    pid = ray.get(talker.say.remote("last"), timeout=BOUND)
    screen.shows(
        "(Fake pid=5, host=elsewhere) signed", "(Fake pid=5, host=elsewhere) later", f"(Talker pid={pid}) last"
    )
    assert caplog.text.count("without the cluster key") == 4
    assert screen.err[-1].startswith("(callboard) 3 lines were lost on their way to this terminal; `callboard logs")


def test_l5_a_broken_connection_is_made_again(ray: ModuleType, on_stage: Stage, screen: Screen) -> None:
    """L5: and it is said that lines may be missing."""
    listening = f"name=cb:terminal:{_session.client().id}"
    wire = on_stage.wire

    def connection() -> str | None:
        listed = wire.call("CLIENT", "LIST")
        assert isinstance(listed, bytes)
        found = [line for line in listed.decode().splitlines() if listening in line]
        return re.findall(r"\bid=(\d+)", found[0])[0] if found else None

    first = connection()
    wire.call("CLIENT", "KILL", "ID", first or 0)
    wait_until(lambda: connection() not in {None, first} and listeners(on_stage) == 1, what="another connection")
    talker = ray.remote(Talker).remote()
    pid = ray.get(talker.say.remote("again"), timeout=BOUND)
    screen.shows(f"(Talker pid={pid}) again")
    assert "lines may be missing here" in screen.err[0]


def test_l5_a_server_that_refuses_is_no_reason_not_to_run(
    on_stage: Stage, screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    """L5: with an ACL that does not know the channel the program runs, and the log says what to allow."""
    on_stage.wire.call("ACL", "SETUSER", "deaf", "on", "nopass", "allkeys", "allcommands", "resetchannels")
    address = on_stage.address.replace("unix://", "unix://deaf:secret@")
    try:
        callboard.init(address)
        assert "Allow the channel cb:{0}:job:" in caplog.text
        talker: Any = callboard.remote(Talker).remote()
        callboard.get(talker.say.remote("unheard"), timeout=BOUND)
        del talker
        callboard.shutdown()
    finally:
        on_stage.wire.call("ACL", "DELUSER", "deaf")
    assert screen.out == []


def test_l5_adopted_actors_are_still_shown(ray: ModuleType, on_stage: Stage, screen: Screen) -> None:
    """L5: by the supervisor that takes over when theirs was killed, wherever the files are."""
    logs = on_stage.log_dir / "elsewhere"
    logs.mkdir()
    with another_supervisor(on_stage, **{"resources": '{"here": 1}', "log-dir": str(logs)}) as first:
        talker = ray.remote(resources={"here": 1})(Talker).remote()
        pid = ray.get(talker.say.remote("before"), timeout=BOUND)
        screen.shows(f"(Talker pid={pid}) before")
        old = state(talker).node_id
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: state(talker).node_id != old, what="another node to take over")
        ray.get(talker.say.remote("after"), timeout=BOUND)
        screen.shows(f"(Talker pid={pid}) before", f"(Talker pid={pid}) after")


def test_l5_classes_of_any_name_have_files(ray: ModuleType, on_stage: Stage, screen: Screen) -> None:
    """L5: also one that no file could have."""
    odd = type("a/" + "b" * 300, (Talker,), {})
    talker = ray.remote(odd).remote()
    ray.get(talker.say.remote("hello"), timeout=BOUND)
    (path,) = on_stage.log_dir.glob(f"a_bbb*-{talker._actor_id}.out")
    assert path.read_text() == "hello\n"
    wait_until(lambda: any(line.endswith(") hello") for line in screen.out), what="the line")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let programs have a callboard of their own, and find what is left of it."""
    monkeypatch.delenv("CALLBOARD_ADDRESS", raising=False)
    before = leaks.snapshot()
    yield
    leaks.check(before)


# Its own line is one write: those of a print may have the actor's lines between them.
ALONE = """
import sys
import callboard as ray
from tests.support.talkers import Farewell
ray.init()
farewell = ray.remote(Farewell).remote("good day")
pid = ray.get(farewell.complain.remote("it is late"))
sys.stdout.write(f"program {pid}\\n")
"""


@pytest.mark.usefixtures("alone")
def test_l5_a_program_with_a_callboard_of_its_own_shows_the_hooks_too() -> None:
    """L5: all actors end before it does, and what they write at their end is shown; without a terminal in no colour."""
    ran = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    (pid,) = re.findall(r"^program (\d+)$", ran.stdout, re.MULTILINE)
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("program")]
    assert lines == [f"(Farewell pid={pid}) good day", f"(Farewell pid={pid}) good bye"]
    assert ran.stderr.splitlines() == [f"(Farewell pid={pid}) it is late"]


def test_l5_nobody_listens_nothing_is_kept(on_stage: Stage) -> None:
    """L5: an actor whose program has gone writes to its file, and to nothing in Redis."""
    with other_driver("others") as other:
        other.do("from tests.support.talkers import Talker")
        other.do("talker = callboard.remote(Talker).options(name='t', lifetime='detached').remote()")
        other.do("callboard.get(talker.say.remote('one'))")
        other.leave()
    callboard.init(on_stage.address, namespace="others")
    talker = callboard.get_actor("t")
    callboard.get(talker.say.remote("two"), timeout=BOUND)
    assert (on_stage.log_dir / f"Talker-{talker._actor_id}.out").read_text() == "one\ntwo\n"
    assert [key for key in items(on_stage.wire.call("KEYS", "cb:*")) if ":job:" in text(key)] == []
    callboard.kill(talker)
    wait_for_death(talker)


def test_l5_remote_functions_are_shown_with_name_and_process(ray: ModuleType, screen: Screen) -> None:
    """L5, A9: both streams, whoever called them, and what a function wrote that took its process with it."""

    def shout(line: str) -> int:
        os.write(1, f"{line}\n".encode())
        os.write(2, b"and more\n")
        return os.getpid()

    def last_words() -> None:
        os.write(1, b"last words")
        os._exit(1)

    class Caller:
        def call(self, function: Any) -> Any:
            return callboard.get(function.remote("from an actor"))

    shouting = ray.remote(shout)
    pids = [ray.get(shouting.remote("from here"), timeout=BOUND)]
    screen.shows(f"(shout pid={pids[0]}) from here")
    pids.append(ray.get(ray.remote(Caller).remote().call.remote(shouting), timeout=BOUND))
    shown = [f"(shout pid={pids[0]}) from here", f"(shout pid={pids[1]}) from an actor"]
    screen.shows(*shown)
    wait_until(lambda: screen.err == [f"(shout pid={pid}) and more" for pid in pids], what="stderr")
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(ray.remote(max_retries=0)(last_words).remote(), timeout=BOUND)
    wait_until(lambda: len(screen.out) == len(shown) + 1, what="the last words")
    assert re.fullmatch(r"\(last_words pid=\d+\) last words", screen.out[-1])
