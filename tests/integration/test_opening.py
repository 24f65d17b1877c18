"""Opening connections: what an address asks for is done, and what refuses us is told apart from what is not there."""

import contextlib
import os
import re
import socket
from collections.abc import Iterator

import pytest
from tests.support.front import front

from callboard_broker.broker import WHO_ARE_YOU, server_id
from callboard_broker.embedded import EmbeddedServer
from callboard_broker.errors import BrokerRefusedError, BrokerUnreachableError
from callboard_broker.wire import Wire, text


@pytest.fixture
def path() -> Iterator[str]:
    """Run a server with a password and a user, and give the path of its socket."""
    server = EmbeddedServer.start()
    try:
        wire = Wire.open(server.address)
        wire.call("ACL", "SETUSER", "anna", "on", ">hers", "+@all", "~*")
        wire.call("ACL", "SETUSER", "berta", "on", ">hers", "+ping")
        wire.call("CONFIG", "SET", "requirepass", "ours")
        wire.close()
        yield server.address.removeprefix("unix://")
    finally:
        server.stop()


@pytest.mark.parametrize("options", ["", "&health_check_interval=0"], ids=["plain", "with an option of redis-py"])
@pytest.mark.parametrize(("credentials", "user"), [(":ours@", "default"), ("anna:hers@", "anna")])
def test_password_user_database_and_name_are_used(path: str, credentials: str, user: str, options: str) -> None:
    """Whoever opens the socket, the server knows the same of it."""
    wire = Wire.open(f"unix://{credentials}{path}?db=3{options}", name="cb:me")
    about = dict(re.findall(r"(\S+)=(\S*)", text(wire.call("CLIENT", "INFO"))))
    wire.close()
    assert (about["user"], about["db"], about["name"]) == (user, "3", "cb:me")


@pytest.mark.parametrize(
    ("credentials", "database", "told"),
    [("", 1, "NOAUTH"), (":wrong@", 0, "WRONGPASS"), (":ours@", 9999, "out of range"), ("berta:hers@", 0, "NOPERM")],
)
def test_what_the_server_refuses_is_named_without_the_password(
    path: str, credentials: str, database: int, told: str
) -> None:
    """It is an error of its own: trying again would not help."""
    with pytest.raises(BrokerRefusedError, match=told) as caught:
        Wire.open(f"unix://{credentials}{path}?db={database}", name="cb:me")
    assert path in str(caught.value)
    assert "wrong@" not in str(caught.value)


def test_a_server_that_is_full_counts_as_not_there_yet(path: str) -> None:
    """There may be room soon, so it is tried again by whoever has patience."""
    first = Wire.open(f"unix://:ours@{path}")
    first.call("CONFIG", "SET", "maxclients", 1)
    with pytest.raises(BrokerUnreachableError, match="no Redis answers"):
        Wire.open(f"unix://:ours@{path}", name="cb:me")
    first.close()


def test_a_silent_peer_is_asked_whether_it_is_there(path: str) -> None:
    """A host that vanished is noticed while nothing is sent."""
    with front(path, tls=False) as port, contextlib.closing(Wire.open(f"redis://:ours@localhost:{port}")) as wire:
        connected = socket.socket(fileno=os.dup(wire.fileno()))
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        found = [connected.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        connected.close()
    assert found == [30, 5, 3]


@pytest.mark.parametrize("port", ["65536", "-1", "none"])
def test_a_port_that_none_can_be_is_said_to_be_wrong(port: str) -> None:
    """Not that nobody answers there."""
    with pytest.raises(ValueError, match="is not a Redis address"):
        Wire.open(f"redis://localhost:{port}")


def test_a_server_that_was_a_replica_meanwhile_is_another(path: str) -> None:
    """It has the data of a third one, and may lack what it had acknowledged."""
    with contextlib.closing(Wire.open(f"unix://:ours@{path}")) as wire:
        before = [server_id(wire.call(*WHO_ARE_YOU)) for _ in range(2)]
        wire.call("REPLICAOF", "127.0.0.1", "1")
        wire.call("REPLICAOF", "NO", "ONE")
        assert before == [before[0]] * 2
        assert server_id(wire.call(*WHO_ARE_YOU)) != before[0]
