"""What workers write: the files it goes to, and the signed batches in which it is published.

Whoever publishes and whoever shows it know nothing of each other but the channel of a job. Nothing is kept: what is
published while nobody listens is in the files only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from callboard_broker.errors import ForgedEntryError, MalformedEntryError

if TYPE_CHECKING:
    from callboard_broker.envelope import Signer
    from callboard_broker.records import ActorRecord

#: Kind of the signer that signs batches, for a job.
KIND: Final = "output"
#: Streams of a process, which are also how the names of its files end.
STREAMS: Final = ("out", "err")
#: Stands for a class in the names of the files of workers that run tasks.
TASK: Final = "task"
#: Characters of a class name in a file name, which may have 255 bytes.
_LONGEST_CLASS: Final = 50


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that one process wrote to one of its streams.

    Attributes:
        node: Its node.
        number: How many lines of this job the node has published before, or tried to.
        hostname: Where that is.
        source: What the actor is called: its own repr, or its class.
        pid: The process.
        stream: One of `STREAMS`.
        lines: Without their ends. None at all: the node was asked to publish what there is, and has.
    """

    node: str
    number: int
    hostname: str
    source: str = ""
    pid: int = 0
    stream: str = "out"
    lines: tuple[str, ...] = ()

    def pack(self, signer: Signer) -> bytes:
        """Return the message to publish."""
        body = json.dumps(asdict(self)).encode()
        return signer.sign((), body) + body

    @classmethod
    def open(cls, signer: Signer, message: bytes) -> Self:
        """Verify a message and return the batch in it.

        Raises:
            ForgedEntryError: It was not signed with our key for this job.
            MalformedEntryError: It is something else.
        """
        mac, body = message[:32], message[32:]
        if not signer.verify((), body, mac):
            raise ForgedEntryError("lines of output do not bear a valid MAC")
        try:
            told = json.loads(body)
            return cls(**{**told, "lines": tuple(told["lines"])})
        except (ValueError, TypeError, KeyError) as error:
            raise MalformedEntryError(f"not lines of output: {error!r}") from error


def output_path(directory: Path, class_name: str, actor: str) -> Path:
    """Return where the output of an actor goes, but for the ``.out`` or ``.err`` at the end."""
    plain = "".join(sign if sign.isprintable() and sign != "/" else "_" for sign in class_name[:_LONGEST_CLASS])
    return directory / f"{plain}-{actor}"


def output_files(record: ActorRecord) -> dict[str, Path] | None:
    """Return the files with the output of an actor by stream; None when it has none, or not where it should.

    A record is not signed: what it says may name files of this actor only.
    """
    if not record.output.endswith(f"-{record.actor_id}"):
        return None
    return {stream: Path(f"{record.output}.{stream}") for stream in STREAMS}
