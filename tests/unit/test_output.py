"""Batches of output: signed, for one job; and where output is kept."""

import errno
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callboard_broker.clusterkey import ClusterKey
from callboard_broker.envelope import Signer
from callboard_broker.errors import BrokerUnreachableError, ForgedEntryError, MalformedEntryError
from callboard_broker.keys import Keyspace
from callboard_broker.output import KIND, Batch, output_files, output_path
from callboard_broker.records import ActorRecord
from callboard_supervisor import output as output_module
from callboard_supervisor.output import Output
from callboard_supervisor.residents import Resident

KEY = ClusterKey(bytes(range(32)))
BATCH = Batch("node", 7, "vm", "Counter", 12, "err", ("one", "two \x1b[31m\n\udce9"))


def signer(job: str = "job", kind: str = KIND) -> Signer:
    """Make a signer."""
    return Signer(KEY, kind, "cb", job)


def test_l5_batches_are_read_back() -> None:
    """L5: with all that is in them."""
    assert Batch.open(signer(), BATCH.pack(signer())) == BATCH


@pytest.mark.parametrize("wrong", [signer("other"), signer(kind="call")], ids=["another job", "another kind"])
def test_i9_batches_of_others_are_refused(wrong: Signer) -> None:
    """I9: a batch is for one job; nothing of another kind passes as one."""
    with pytest.raises(ForgedEntryError, match="valid MAC"):
        Batch.open(signer(), BATCH.pack(wrong))


def test_i9_changed_batches_are_refused() -> None:
    """I9: whichever byte was changed, and however short it is."""
    message = BATCH.pack(signer())
    for position in range(len(message)):
        changed = bytearray(message)
        changed[position] ^= 1
        with pytest.raises(ForgedEntryError):
            Batch.open(signer(), bytes(changed))
    with pytest.raises(ForgedEntryError):
        Batch.open(signer(), b"")


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"node": 1}', b'{"lines": [], "colour": 2}', b"\xff"])
def test_l5_what_is_no_batch_is_malformed(body: bytes) -> None:
    """L5: of another version, for example."""
    with pytest.raises(MalformedEntryError, match="not lines of output"):
        Batch.open(signer(), signer().sign((), body) + body)


def test_l5_files_have_names_that_a_file_can_have() -> None:
    """L5: whatever the class is called."""
    actor = "ab" * 16
    assert output_path(Path("/logs"), "Counter", actor) == Path(f"/logs/Counter-{actor}")
    path = output_path(Path("/logs"), "a/../b\n" + "é" * 300, actor)
    assert path.parent == Path("/logs")
    assert path.name.startswith("a_.._b_é")
    assert len(f"{path.name}.out".encode()) < 200
    assert path.name.endswith(f"-{actor}")


def test_l5_a_record_names_only_the_files_of_its_actor() -> None:
    """L5: records are not signed, so whoever writes to Redis could name any file."""
    actor = "ab" * 16
    record = ActorRecord(actor_id=actor, output=f"/logs/C-{actor}")
    assert output_files(record) == {"out": Path(f"/logs/C-{actor}.out"), "err": Path(f"/logs/C-{actor}.err")}
    assert output_files(replace(record, output="/etc/passwd")) is None
    assert output_files(ActorRecord(actor_id=actor)) is None


def test_l5_a_kernel_that_watches_no_more_files(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """L5: actors run all the same, and the log says what is missing and what to do."""

    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(output_module, "INotify", refuse)
    house: Any = SimpleNamespace(config=SimpleNamespace(log_dir=tmp_path))
    output = Output(house)
    with caplog.at_level(logging.WARNING):
        output.start()
    output.stop()
    assert "fs.inotify.max_user_instances" in caplog.text
    assert str(tmp_path) in caplog.text


def test_l5_a_server_that_is_away_is_asked_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """L5: what an ended process left is not worth more, as the loop of its supervisor waits meanwhile."""
    asked: list[int] = []

    def pipeline(commands: list[object]) -> None:
        asked.append(len(commands))
        raise BrokerUnreachableError("away")

    keys = Keyspace()
    link = SimpleNamespace(pipeline=pipeline)
    house: Any = SimpleNamespace(config=SimpleNamespace(log_dir=tmp_path), link=link, keys=keys)
    output, resident = Output(house), Resident("ab" * 16, {})
    output.follow(resident, "Counter")["out"].write_text("last words\n")
    with caplog.at_level(logging.WARNING):
        output.finish(resident)
        output.finish(resident)
    assert asked == [1, 1]
    assert caplog.text.count("not shown in terminals for now: away") == 1
