"""L5: what an actor is called where its lines are shown."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.output import KIND, Batch
from callboard_broker.packing import Argument, Command
from callboard_broker.wire import Reply
from callboard_supervisor.output import Output
from callboard_supervisor.residents import Resident

JOB = "the-job"


class Server:
    """Answers for a server on which an actor is ready, and writes a line, right after it was first asked about."""

    def __init__(self, written: Path) -> None:
        self.broker = Broker("redis://nowhere", ClusterKey(bytes(32)))
        self.record = {"job_id": JOB, "class_name": "Named", "repr_name": ""}
        self.published: list[Batch] = []
        self._written = written

    def call(self, *command: Argument) -> Reply:
        """Answer one command."""
        return self.pipeline([command])[0]

    def pipeline(self, commands: list[Command]) -> list[Reply]:
        """Answer what is asked of the record and of listeners, and note what is published."""
        replies = [self._answer(*command) for command in commands]
        if any(command[0] == "HMGET" for command in commands) and not self.record["repr_name"]:
            self.record["repr_name"] = "Named(Ann)"
            with self._written.open("a") as file:
                file.write("hello\n")
        return replies

    def _answer(self, name: Argument, *arguments: Argument) -> Reply:
        if name == "HMGET":
            return [self.record[str(field)].encode() for field in arguments[1:]]
        if name == "PUBSUB":
            return [b"channel", 1]
        assert name == "PUBLISH"
        assert isinstance(arguments[1], bytes)
        self.published.append(Batch.open(self.broker.signer(KIND, JOB), arguments[1]))
        return 1


def test_l5_a_line_bears_the_name_that_its_actor_had_when_it_was_written(tmp_path: Path) -> None:
    """Its repr, for all that it writes once it has one, however short before it was asked what it is called."""
    resident = Resident("a" * 24, {})
    server = Server(tmp_path / f"Named-{resident.actor}.out")
    house: Any = SimpleNamespace(
        config=SimpleNamespace(log_dir=tmp_path), link=server, keys=server.broker.keys, node="node"
    )
    output = Output(house)
    files = output.follow(resident, "Named")
    files["out"].write_text("being born\n")
    output.finish(resident)
    output.finish(resident)
    named = [(line, batch.source) for batch in server.published for line in batch.lines]
    assert [line for line, _ in named] == ["being born", "hello"]
    assert dict(named)["hello"] == "Named(Ann)"
