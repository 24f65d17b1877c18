"""The commands `call` and `kill` on living actors, and what a shell is offered for their names."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.commands import run
from tests.support.stage import Stage
from tests.support.waiting import wait_until

import callboard
from callboard.util import state


class Shop:
    """An actor with something to call."""

    def __init__(self) -> None:
        self.sold: list[str] = []

    def order(self, title: str, copies: int = 1) -> dict[str, object]:
        """Sell."""
        self.sold.append(title)
        return {"title": title, "copies": copies, "pid": os.getpid()}

    def count(self, change: int) -> int:
        """Count what was sold, and more."""
        return len(self.sold) + change

    def refuse(self) -> None:
        """Raise."""
        raise ValueError("sold out")

    def strange(self) -> object:
        """Return what JSON cannot say."""
        return {object()}

    def crash(self) -> None:
        """Take the process down."""
        os._exit(3)

    def hang(self) -> None:
        """Wait for what never comes."""
        os.read(os.pipe()[0], 1)


@pytest.fixture
def shop(on_stage: Stage) -> Iterator[str]:
    """Leave a detached shop behind, as a program that has ended; return its id."""
    with callboard.init(on_stage.address, namespace="mall"):
        handle: Any = callboard.remote(max_restarts=1)(Shop).options(name="shop", lifetime="detached").remote()
        callboard.get(handle.count.remote(0))
    yield handle._actor_id
    run("kill", handle._actor_id)


def test_call_prints_the_result_as_json(shop: str) -> None:
    """Arguments by position and by name are JSON, negative numbers too; the actor keeps its state between calls."""
    first = json.loads(run("call", "shop", "order", '"book"').output)
    assert (first["title"], first["copies"]) == ("book", 1)
    second = json.loads(run("call", "shop", "order", '"map"', "-k", "copies=2", "--namespace", "mall").output)
    assert (second["copies"], second["pid"]) == (2, first["pid"])
    assert run("call", "shop", "count", "-5").output == "-3\n"
    found = state.get_actor(shop)
    assert found is not None
    assert found.pid == first["pid"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("shop", "order", "book"), 2, "'book' is not JSON: "),
        (("shop", "order", "-k", "title"), 2, "'title' gives no value to a name; write name=JSON"),
        (("shop", "order"), 2, "missing a required argument: 'title'"),
        (("shop", "buy"), 2, "the actor class Shop has no method 'buy'"),
        (("nobody", "buy"), 3, "no actor has the name or id 'nobody'"),
        (("shop", "count", "1", "-n", "other"), 3, "in namespace 'other'"),
        (("shop", "refuse"), 1, "ValueError: sold out"),
        (("shop", "strange"), 1, "strange returned a set that JSON cannot hold"),
        (("shop", "crash"), 1, "is unavailable: "),
        (("shop", "hang", "--timeout", "0.1"), 1, "hang has no result after 0.1 s"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_call_says_what_is_wrong(words: tuple[str, ...], code: int, says: str) -> None:
    """By its exit code, and in a text without a traceback of the command."""
    output = run("call", *words, code=code).output
    assert says in " ".join(output.split())
    assert "callboard/cli" not in output


def test_call_takes_names_only(shop: str) -> None:
    """An id is refused by a text that says so."""
    assert "takes the name of one" in run("call", shop, "count", "1", code=2).output


def test_call_needs_the_callboards_key(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another key nothing is called."""
    monkeypatch.setenv("CALLBOARD_KEY", "ab" * 32)
    assert "is signed with the cluster key" in run("call", "shop", "count", "1", code=1).output
    assert shop


def test_k3_kill_with_restart(shop: str) -> None:
    """K3: the process dies, the actor lives on; --no-restart, which is what `kill` does by itself, ends it."""
    pid = json.loads(run("call", "shop", "order", "1").output)["pid"]
    assert "which may restart" in run("kill", "shop", "--restart").output
    wait_until(lambda: (now := state.get_actor(shop)) and now.num_restarts == 1 and now.state == "ALIVE", what="it")
    assert json.loads(run("call", "shop", "order", "1").output)["pid"] != pid
    run("kill", "shop", "--no-restart")
    wait_until(lambda: (now := state.get_actor(shop)) and now.state == "DEAD", what="its death")


def test_l1_events_tell_an_actors_life(shop: str) -> None:
    """L1: newest first, with the reason of the death; `list events` takes the same options as the other lists."""
    run("kill", "shop")
    wait_until(lambda: (now := state.get_actor(shop)) and now.state == "DEAD", what="its death")
    found = json.loads(run("list", "events", "-f", f"actor_id={shop}", "-o", "json", "--detail").output)
    assert [event["event"] for event in found] == ["dead", "killed", "alive", "pending_creation", "created"]
    assert (found[0]["reason"], "killed by" in found[0]["message"]) == ("RAY_KILL", True)
    assert (found[3]["incarnation"], len(found[3]["node_id"])) == (1, 24)
    assert state.list_events(filters=[("actor_id", "=", shop)], limit=1)[0].event == "dead"
    assert "REASON" in run("list", "events", "--limit", "3").output


def completions(*words: str) -> list[str]:
    """Return what bash is offered for the last word."""
    environ = {
        **os.environ,
        "_CALLBOARD_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    program = "import sys; from callboard.cli import main; main(prog_name='callboard')"
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_shells_complete_commands_names_and_ids(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and ids of actors that there are; nothing, and no error, when nobody answers."""
    assert completions("callboard", "ki") == ["kill"]
    assert completions("callboard", "kill", "sh") == ["shop"]
    assert completions("callboard", "kill", shop[:8]) == [shop]
    assert completions("callboard", "call", shop[:8]) == []
    monkeypatch.setenv("CALLBOARD_ADDRESS", "redis://127.0.0.1:1/0")
    assert completions("callboard", "kill", "sh") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    """It begins with how to install it."""
    output = run("completion", shell).output
    assert output.startswith("# ")
    assert f"callboard completion {shell}" in output.splitlines()[0]
    assert "_CALLBOARD_COMPLETE" in output
