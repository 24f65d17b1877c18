"""A callboard without supervisors and workers: a server, and records as the broker's own operations write them."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support import leaks

from callboard_broker import deaths, ids
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.deaths import DeathCause
from callboard_broker.embedded import EmbeddedServer
from callboard_broker.envelope import seal_fields
from callboard_broker.operations import actors, clients
from callboard_broker.records import ActorRecord, ClientRecord, NodeRecord, State
from callboard_broker.wire import Reply, checked

#: The cluster key of such callboards.
KEY = ClusterKey(bytes(range(32)))

_SETTINGS = ("CALLBOARD_ADDRESS", "CALLBOARD_KEY", "CALLBOARD_KEY_FILE", "CALLBOARD_PREFIX")


@contextlib.contextmanager
def own_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a test a directory for all temporary files, short enough for sockets, and find what is left behind.

    So it does not see what other runs on the same machine do, and none of the user's settings. Not together with
    pytest's ``tmp_path``, which would lie in there for all tests that follow.
    """
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        before = leaks.snapshot()
        yield Path(folder)
        leaks.check(before)


class Board:
    """A started server with one registered client; whoever makes it closes it."""

    def __init__(self) -> None:
        self.server = EmbeddedServer.start()
        self.address = self.server.address
        self.broker = Broker(self.address, KEY)
        self.keys = self.broker.keys
        self.wire = self.broker.connect("test")
        self.broker.check(self.wire)
        self.owner = self.client(hostname="here", pid=7)

    def close(self) -> None:
        """End the server."""
        self.wire.close()
        self.server.stop()

    def ask(self, *command: Any) -> Reply:
        """Run one command, which must succeed."""
        return checked(self.wire.call(*command))

    def client(self, **fields: Any) -> str:
        """Register a client and return its id."""
        record = ClientRecord(**{"id": ids.new_client_id(), "namespace": "tests", **fields})
        self.ask(*clients.register(self.keys, record))
        return record.id

    def node(self, **fields: Any) -> str:
        """Write down a node and return its id."""
        record = NodeRecord(id=ids.new_node_id(), **fields)
        self.ask("HSET", self.keys.node(record.id), *record.encode())
        self.ask("SADD", self.keys.nodes, record.id)
        return record.id

    def actor(self, **fields: Any) -> ActorRecord:
        """Create an actor, with its name if it has one."""
        values = {
            "class_name": "Counter",
            "namespace": "tests",
            "owner": self.owner,
            "job_id": self.owner[:8],
            **fields,
        }
        record = ActorRecord(**{"actor_id": ids.new_actor_id(), **values})
        signer = self.broker.signer("creation", record.actor_id)
        creation = seal_fields(signer, ("definition", "options", "tokens"), (b"", b"{}", b""), b"")
        self.ask(*actors.create(self.keys, self.owner, record, creation))
        if record.name:
            self.ask(*actors.claim_name(self.keys, record.namespace, record.name, record.actor_id))
        return record

    def alive(self, **fields: Any) -> ActorRecord:
        """Create an actor and let it start, as its node and its worker would."""
        record = self.actor(**fields)
        token = ids.new_token()
        self.ask(
            *actors.start(
                self.keys,
                record,
                token=token,
                node=record.node,
                where=("host", "here"),
                state=State.PENDING_CREATION,
                restarts=0,
            )
        )
        self.ask(*actors.ready(self.keys, record.actor_id, token, ("pid", 4711, "ever_started", 1)))
        return replace(record, token=token, state=State.ALIVE, pid=4711, ever_started=True)

    def dead(self, cause: DeathCause | None = None, **fields: Any) -> ActorRecord:
        """Create an actor that has lived and died."""
        return self.finish(self.alive(**fields), cause or deaths.killed())

    def finish(self, record: ActorRecord, cause: DeathCause) -> ActorRecord:
        """Kill an actor and make it DEAD, as its node would; its name is freed."""
        token = ids.new_token()
        self.ask(*actors.kill(self.keys, record.actor_id, token, cause))
        if record.name:
            self.ask(*actors.release_name(self.keys, record.namespace, record.name, record.actor_id))
        self.ask(*actors.finish(self.keys, replace(record, token=token), cause))
        return replace(record, token=token, state=State.DEAD)

    def post(self, record: ActorRecord, number: int = 1) -> None:
        """Put calls into an actor's mailbox; nobody will verify them."""
        for _ in range(number):
            self.ask("XADD", self.keys.mailbox(record.actor_id), "*", "v", "1")
