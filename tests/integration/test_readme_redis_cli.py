"""L4: what the README says about `redis-cli` works on a live callboard; redis-cli itself is not needed for that."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

import callboard
from callboard.util import state
from callboard_broker.keys import Keyspace
from callboard_broker.wire import Reply, ReplyError, Wire

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^redis-cli (.*)$", README, re.MULTILINE)
NAMESPACE, NAME = "readme", "clerk"


class Clerk:
    """An actor that is busy for as long as a pipe is not written to."""

    def done(self) -> int:
        """Return at once."""
        return 1

    def read(self, pipe: str) -> str:
        """Wait for a word."""
        return Path(pipe).read_text()


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a callboard on which there is something to see, and give what stands for the README's placeholders."""
    pipe = tmp_path_factory.mktemp("clerk") / "pipe"
    os.mkfifo(pipe)
    with callboard.init("local", namespace=NAMESPACE) as context:
        clerks = callboard.remote(Clerk)
        clerk: callboard.ActorHandle = clerks.options(name=NAME).remote()
        callboard.get(clerk.done.remote())
        dead: callboard.ActorHandle = clerks.remote()
        callboard.kill(dead)
        reading = [clerk.read.remote(str(pipe)), clerk.done.remote()]
        callboard.cancel(clerk.done.remote())
        actor = clerk._actor_id
        wait_until(lambda: _call_of(actor) == "read", what="the clerk to read")
        wait_until(lambda: _state_of(dead._actor_id) == "DEAD", what="the other to be dead")
        (node,) = state.list_nodes()
        yield {
            "address": context.address,
            "actor": actor,
            "client": context.client_id,
            "node": node.node_id,
            "namespace": NAMESPACE,
            "name": NAME,
        }
        pipe.write_text("go on")
        assert callboard.get(reading) == ["go on", 1]


def _call_of(actor: str) -> str | None:
    found = state.get_actor(actor)
    return found.current_call if found else None


def _state_of(actor: str) -> str | None:
    found = state.get_actor(actor)
    return found.state if found else None


def ask(values: dict[str, str], line: str) -> Reply:
    """Send a line of the README, with its placeholders filled in, as redis-cli would."""
    words = shlex.split(line, comments=True)
    filled = [re.sub(r"<(\w+)>", lambda found: values[found[1]], word) for word in words]
    wire = Wire.open(values["address"])
    try:
        return wire.pipeline([tuple(filled)])[0]
    finally:
        wire.close()


def test_l4_the_readme_has_the_commands() -> None:
    """Record, mailbox, holders, names, nodes, events and requests are all shown."""
    keys = Keyspace()
    actor = "<actor>"
    shown = "\n".join(LINES)
    for key in (
        keys.actor(actor), keys.mailbox(actor), keys.holders(actor), keys.name("<namespace>", "<name>"), keys.nodes,
        keys.events, keys.requests,
    ):  # fmt: skip
        assert key.decode() in shown
    assert {"HGETALL", "XLEN", "XRANGE", "XINFO"} <= {line.split()[0] for line in LINES}


@pytest.mark.parametrize("line", LINES)
def test_l4_the_command_shows_something(values: dict[str, str], line: str) -> None:
    """The server answers each of them, and not with nothing."""
    reply = ask(values, line)
    assert not isinstance(reply, ReplyError)
    if line.startswith("SCAN"):
        assert isinstance(reply, list)
        reply = reply[1]
    assert reply


def test_l4_what_is_shown_is_what_is_there(values: dict[str, str]) -> None:
    """The record says ALIVE, the mailbox has the two open calls, the name leads to the actor."""
    assert ask(values, "HGET 'cb:{0}:actor:<actor>' state") == b"ALIVE"
    assert ask(values, "XLEN 'cb:{0}:actor:<actor>:mailbox'") == 2
    assert ask(values, "GET 'cb:{0}:name:<namespace>:<name>'") == values["actor"].encode()
