"""The command line on a server: what it shows, whom it kills, and a callboard that is up until it is taken down."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from tests.support.board import KEY, Board, own_place
from tests.support.commands import run
from tests.support.waiting import wait_until

from callboard import _running
from callboard_broker import deaths
from callboard_broker.wire import entries, fields

FAKE_SUPERVISOR = """
import json, os, signal, sys
options = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
print("supervising", json.dumps({**options, "address": os.environ["CALLBOARD_ADDRESS"]}), flush=True)
if "num-cpus" in options and float(options["num-cpus"]) == 0:
    sys.exit("no CPU to promise")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(int(options["notify-fd"]), b"ready\\n")
signal.sigwait([signal.SIGTERM])
print("ended", flush=True)
"""


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Start a callboard that the environment names, and find what is left behind."""
    with own_place(monkeypatch), contextlib.closing(Board()) as started:
        monkeypatch.setenv("CALLBOARD_ADDRESS", started.address)
        monkeypatch.setenv("CALLBOARD_KEY", KEY.secret.hex())
        yield started


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a home of its own and a supervisor that only waits for its end."""
    with own_place(monkeypatch) as folder:
        package = folder / "fake" / "callboard_supervisor"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(FAKE_SUPERVISOR)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))
        monkeypatch.setenv("XDG_STATE_HOME", str(folder))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        yield folder / "callboard"
        run("down", "--timeout", "0")


def program(*words: str, code: int = 0) -> str:
    """Run a command in a process of its own, which must exit with this code; return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "callboard.cli", *words],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def said(home: Path) -> dict[str, Any]:
    """Return what the supervisor was told."""
    text = (home / "supervisor.log").read_text()
    found: dict[str, Any] = json.loads(text.splitlines()[-1].removeprefix("supervising "))
    return found


def test_l1_list_actors(board: Board) -> None:
    """A table as Ray's: header, count, and one line an actor under Ray's columns."""
    record = board.alive(name="n")
    lines = run("list", "actors").output.splitlines()
    assert re.fullmatch(r"======== List: [-\d]+ [:\d]+ ========", lines[0])
    assert lines[3] == "Total: 1"
    assert lines[-2].split() == [
        "ACTOR_ID", "CLASS_NAME", "STATE", "JOB_ID", "NAME", "NODE_ID", "PID", "RAY_NAMESPACE",
    ]  # fmt: skip
    assert lines[-1].split() == [record.actor_id, "Counter", "ALIVE", board.owner[:8], "n", "4711", "tests"]


def test_l1_list_actors_with_detail_is_yaml(board: Board) -> None:
    """As Ray's: a list of all columns, the death's context among them; -o json has the same."""
    board.dead(deaths.creation_failed("Traceback:\nValueError: x"), name="n")
    output = run("list", "actors", "--detail").output
    assert output.startswith("---\n-   actor_id: ")
    (found,) = yaml.safe_load(output)
    context = found["death_cause"]["actor_died_error_context"]
    assert (found["state"], context["reason"], context["name"]) == ("DEAD", "CREATION_FAILED", "n")
    assert "            traceback: |-\n                Traceback:\n                ValueError: x\n" in output
    assert json.loads(run("list", "actors", "--detail", "-o", "json").output) == [found]


def test_l1_list_filters_and_limits(board: Board) -> None:
    """Filters are joined; the table says when there may be more."""
    for kind in ("Counter", "Counter", "Probe"):
        board.alive(class_name=kind)
    found = json.loads(run("list", "actors", "-f", "class_name!=Probe", "-f", "state=alive", "-o", "json").output)
    assert [row["class_name"] for row in found] == ["Counter", "Counter"]
    assert "Total: 1 (there may be more: raise --limit, up to 10000)" in run("list", "actors", "--limit", "1").output
    assert run("list", "actors", "-f", "state=DEAD", "-o", "json").output == "[]\n"


def test_l1_get_and_summary(board: Board) -> None:
    """One actor in full, exit code 3 for one that nobody knows, and counts."""
    record = board.alive()
    output = run("get", "actors", record.actor_id).output
    assert output.startswith(f"---\nactor_id: {record.actor_id}\n")
    assert json.loads(run("get", "actors", record.actor_id, "-o", "json").output) == yaml.safe_load(output)
    assert run("get", "actor", record.actor_id).output == output
    assert "num_restarts" in run("get", "actors", record.actor_id, "-o", "table").output
    assert "`callboard list actors`" in run("get", "actors", "ab" * 16, code=3).output
    node = board.node(hostname="vm")
    assert yaml.safe_load(run("get", "node", node).output)["node_name"] == "vm"
    assert "`callboard list nodes`" in run("get", "nodes", "ab" * 12, code=3).output
    assert run("summary", "actors").output.splitlines()[-1].split() == ["Counter", "ALIVE:", "1"]
    summed = yaml.safe_load(run("summary", "actors", "-o", "yaml").output)
    assert summed["cluster"]["total_actors"] == 1


def test_l1_list_nodes_clients_names(board: Board) -> None:
    """The other things there are."""
    node = board.node(hostname="vm", total='{"CPU": 4}')
    board.alive(name="n")
    assert json.loads(run("list", "nodes", "-o", "json").output)[0]["node_id"] == node
    assert json.loads(run("list", "clients", "-o", "json").output)[0]["client_id"] == board.owner
    assert [row["name"] for row in json.loads(run("list", "names", "-o", "json").output)] == ["n"]
    assert '{"CPU": 4}' in run("list", "nodes").output


def test_status(board: Board) -> None:
    """What there is, and the server with its policy."""
    assert "none: actors wait until `callboard supervisor` runs" in run("status").output
    node = board.node(hostname="vm", total='{"CPU": 4}', free='{"CPU": 3}', actors=1)
    board.post(board.alive(), 5)
    board.dead()
    found = json.loads(run("status", "-o", "json").output)
    assert found.pop("server")["maxmemory_policy"] == "noeviction"
    assert found == {
        "address": board.address, "prefix": "cb", "actors": {"ALIVE": 1, "DEAD": 1}, "actors_ending": 0,
        "clients": {"driver": 1}, "calls_in_mailboxes": 5,
        "nodes": {node: {"node_name": "vm", "state": "ALIVE", "actors": 1, "cpus": 4, "cpus_available": 3}},
    }  # fmt: skip
    output = run("status").output
    assert "3 of 4 CPUs free" in output
    assert "1 ALIVE, 1 DEAD" in output
    assert "noeviction" in output


def commands(board: Board, node: str) -> list[tuple[str, str]]:
    """Return what a node was asked to do, after checking who asks."""
    signer = board.broker.signer("command", node)
    found = []
    for _, flat in entries(board.ask("XRANGE", board.keys.commands(node), "-", "+")):
        asked = fields(flat or [])
        assert signer.verify([asked["op"], asked["subject"]], b"", asked["mac"])
        found.append((asked["op"].decode(), asked["subject"].decode()))
    return found


def test_kill_by_name_and_by_id(board: Board) -> None:
    """The incarnation is voided and the node asked, with our signature; a dead actor needs nothing."""
    node = board.node()
    named, other = board.alive(node=node, name="n"), board.alive(node=node)
    assert run("kill", "n").output == f"killed Counter 'n' ({named.actor_id})\n"
    run("kill", other.actor_id)
    assert commands(board, node) == [("kill", named.actor_id), ("kill", other.actor_id)]
    assert board.ask("HMGET", board.keys.actor(named.actor_id), "voided", "sealed") == [b"1", b"killed"]
    assert run("kill", other.actor_id).output == f"Counter ({other.actor_id}) was dead already\n"
    assert len(commands(board, node)) == 2


def test_kill_that_lets_restart(board: Board) -> None:
    """Only the node is asked."""
    node = board.node()
    record = board.alive(node=node)
    assert "which may restart" in run("kill", record.actor_id, "--restart").output
    assert commands(board, node) == [("restart", f"{record.actor_id}.{record.token}")]
    assert board.ask("HGET", board.keys.actor(record.actor_id), "sealed") == b""


def test_kill_knows_whom(board: Board) -> None:
    """Several of a name are told apart by namespace; nobody of that name is exit code 3."""
    one, other = board.alive(name="n", namespace="a"), board.alive(name="n", namespace="b")
    assert "one of a, b" in run("kill", "n", code=2).output
    assert one.actor_id in run("kill", "n", "-n", "a").output
    assert "no actor has the name or id 'n' in namespace 'c'" in run("kill", "n", "-n", "c", code=3).output
    assert "`callboard list names`" in run("kill", "m", code=3).output
    assert board.ask("HGET", board.keys.actor(other.actor_id), "sealed") == b""


def test_kill_needs_the_callboards_key(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another key nothing is changed."""
    record = board.alive()
    monkeypatch.setenv("CALLBOARD_KEY", "ab" * 32)
    assert "is signed with the cluster key" in run("kill", record.actor_id, code=1).output
    assert board.ask("HGET", board.keys.actor(record.actor_id), "sealed") == b""


def test_up_and_down(home: Path) -> None:
    """What `up` starts outlives it, is found without an address, and is gone after `down`; its data stays."""
    output = program("up", "--num-cpus", "2")
    running = _running.read_state()
    assert running is not None
    assert running.supervisor is not None
    assert f"export CALLBOARD_ADDRESS={running.address}\n" in output
    told = said(home)
    assert (told["num-cpus"], told["prefix"], told["address"]) == ("2.0", "cb", running.address)
    assert told["log-dir"] == str(home / "logs")
    assert "append-only file: yes" in run("status").output
    refused = run("up", code=1).output
    assert f"is up already at {running.address}" in refused
    assert f"supervisor: pid {running.supervisor.pid}" in refused
    assert "its data is kept" in run("down").output
    assert not running.server.alive
    assert not running.supervisor.alive
    assert (home / "supervisor.log").read_text().endswith("ended\n")
    assert _running.read_state() is None
    assert "no callboard runs here" in run("status", code=4).output
    run("up")


def test_up_that_fails_leaves_nothing(home: Path) -> None:
    """The supervisor's last words are shown, and the server is gone."""
    assert "the supervisor did not start; the last lines of" in (output := run("up", "--num-cpus", "0", code=1).output)
    assert "no CPU to promise" in output
    assert _running.read_state() is None
    ours = str(home)
    wait_until(
        lambda: (
            not any(
                ours in word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ()
            )
        ),
        what="the end of the server",
    )


@pytest.mark.usefixtures("home")
def test_up_again_after_a_crash() -> None:
    """When the server was killed the supervisor is named; `down` ends it, and `up` has the data again."""
    run("up")
    running = _running.read_state()
    assert running is not None
    assert running.supervisor is not None
    os.kill(running.server.pid, 9)
    wait_until(lambda: not running.server.alive, what="the server's end")
    assert "has ended: its server" in run("status", code=4).output
    assert f"(supervisor: pid {running.supervisor.pid})" in run("up", code=1).output
    run("down")
    assert not running.supervisor.alive
    assert "callboard is up" in run("up").output


def test_up_with_the_real_supervisor(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves when `up` returns, as a node of this callboard, and is gone after `down`."""
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("CALLBOARD_SHM_DIR", f"{home.parent}/pages")
    run("up", "--num-cpus", "3", "--resources", '{"gpu": 2}')
    running = _running.read_state()
    assert running is not None
    assert running.supervisor is not None
    (node,) = json.loads(run("list", "nodes", "-o", "json").output)
    assert node["resources_total"] == {"CPU": 3.0, "gpu": 2.0}
    assert node["pid"] == running.supervisor.pid
    run("down")
    assert not running.supervisor.alive
