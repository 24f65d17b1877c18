"""What a worker makes of what it finds about those who look after it."""

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from callboard.worker._watch import Place, Watch
from callboard_broker import host
from callboard_broker.keys import Keyspace

KEYS = Keyspace()
#: Of this process, and of none.
LIVES = {"pid": str(os.getpid()), "start_time": str(host.process_start_time(os.getpid()))}
GONE = {"pid": str(2**22 + 1), "start_time": "1"}


class Server:
    """Answer what a watch asks."""

    def __init__(self, **nodes: dict[str, str]) -> None:
        self.hashes = {KEYS.node(name): about for name, about in nodes.items()}
        self.hashes[KEYS.actor("actor")] = {"token": "token", "node": "mine"}
        self.nodes = [name.encode() for name in nodes]

    def call(self, *command: Any) -> Any:
        """Answer one question."""
        if command[0] == "SMEMBERS":
            return self.nodes
        _, key, *names = command
        found = self.hashes.get(key, {})
        return [found[name].encode() if name in found else None for name in names]

    def pipeline(self, commands: Sequence[Any]) -> list[Any]:
        """Answer several questions."""
        return [self.call(*command) for command in commands]


def looks(server: Server, node: str = "mine") -> bool:
    """Look twice, the second time when the beats are known and a node has it; tell whether somebody was found then."""
    broker = SimpleNamespace(keys=KEYS, connect=lambda _: server)
    settings: Any = SimpleNamespace(broker=broker, heartbeat_timeout=1.0, node="mine", host="here")
    question = ("HMGET", KEYS.actor("actor"), "token", "node")
    watch = Watch(settings, SimpleNamespace(), Place("actor", question, "token", b"control"))  # type: ignore[arg-type] # not told of anything
    watch._look()
    watch._moved_at = 0.0
    server.hashes[KEYS.actor("actor")]["node"] = node
    watch._look()
    return watch._moved_at > 0


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ({"mine": {"beat": "1", **LIVES}}, True),
        ({"mine": {"beat": "1", **GONE}}, False),
        ({}, False),
        ({"other": {"host": "here", **LIVES}}, True),
        ({"mine": {"beat": "1", **GONE}, "other": {"host": "here", **LIVES}}, True),
        ({"mine": {"beat": "1", **GONE}, "other": {"host": "here", **GONE}}, False),
        ({"mine": {"beat": "1", **GONE}, "other": {"host": "elsewhere", **LIVES}}, False),
    ],
)
def test_i8_a_living_supervisor_of_the_host_is_enough(nodes: dict[str, dict[str, str]], *, found: bool) -> None:
    """Also when one's own has just been killed, over and over: the other one will see to its workers."""
    assert looks(Server(**nodes)) is found


def test_i8_to_be_adopted_is_enough() -> None:
    """Also by one that has been killed since."""
    nodes = {"mine": {"beat": "1", **GONE}, "other": {"beat": "1", "host": "here", **GONE}}
    assert looks(Server(**nodes), node="other")
