"""What lies under keys, and what scripts have in common. As in Redis, what is empty is not there; but for streams."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "NOW",
    "Answer",
    "Group",
    "Hash",
    "Name",
    "RefusedError",
    "Scores",
    "Stream",
    "Thing",
    "awaited",
    "hand_over",
    "must_be_current",
    "must_be_lender",
    "must_live",
    "pairs",
    "release_carried",
    "take",
    "take_back",
]

#: Stands for seconds of the server's clock, which a model does not know.
NOW = -1
#: What a script answers: a list in its order; a set in any; a dict as fields and values.
Answer: TypeAlias = "int | str | list[Answer] | set[str] | dict[str, str] | None"


class RefusedError(Exception):
    """A script answers with an error; the text is its code."""


class Hash(dict[str, str]):
    """A hash.

    Attributes:
        ttl: Seconds until it goes by itself; None when it stays.
    """

    ttl: int | None = None


class Scores(dict[str, float]):
    """A sorted set: scores by member.

    Attributes:
        ttl: As that of a hash.
    """

    ttl: int | None = None

    def lowest(self, count: int) -> list[str]:
        """Return so many members, those with the lowest scores first."""
        return sorted(self, key=lambda member: (self[member], member))[: max(count, 0)]


@dataclass
class Name:
    """A string: who bears a name."""

    bearer: str = ""

    def __bool__(self) -> bool:
        return bool(self.bearer)

    def clear(self) -> None:
        """Delete it."""
        self.bearer = ""


@dataclass
class Group:
    """A consumer group.

    Attributes:
        delivered: The last entry that it was given.
        pending: Entries that it was given and has not acknowledged.
    """

    delivered: str = "0-0"
    pending: list[str] = field(default_factory=list)


@dataclass
class Stream:
    """A stream; it may be there and empty.

    Attributes:
        there: Whether it exists.
        entries: Fields and values in turn, by the entries' ids. The server chooses ids: ``+1``, ``+2`` stand for those
            of the entries that have been added.
        groups: Its consumer groups.
        last: Id of the last entry that was ever added.
    """

    there: bool = False
    entries: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    last: str = "0-0"

    def __bool__(self) -> bool:
        return self.there

    def add(self, *fields: str, **named: str) -> str:
        """Append an entry, to a new stream if need be, and return its id."""
        self.there = True
        self.last = f"+{sum(entry.startswith('+') for entry in self.entries) + 1}"
        self.entries[self.last] = (*fields, *(part for pair in named.items() for part in pair))
        return self.last

    def offer(self, *fields: str) -> str | None:
        """Append an entry if the stream is there, and return its id."""
        return self.add(*fields) if self else None

    def remove(self, entry: str) -> bool:
        """Remove an entry if it is there, and tell whether it was."""
        return self.entries.pop(entry, None) is not None

    def keep(self, count: int) -> None:
        """Remove all but so many entries, the oldest first."""
        for entry in list(self.entries)[:-count]:
            del self.entries[entry]

    def give_group(self, name: str, after: str = "0-0") -> None:
        """Make a group that is given what comes after an entry, in a new stream if need be."""
        self.there = True
        self.groups[name] = Group(after)

    def rename_to(self, other: "Stream") -> None:
        """Become another stream, with groups and all."""
        other.there, other.entries, other.groups, other.last = True, self.entries, self.groups, self.last
        self.clear()

    def clear(self) -> None:
        """Delete it."""
        self.there, self.entries, self.groups, self.last = False, {}, {}, "0-0"


Thing: TypeAlias = "Hash | Scores | Name | Stream | set[str] | list[str]"


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """Pair up fields and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def must_live(inbox: Stream) -> None:
    """Refuse what is done on behalf of a client that has been declared dead: it has no inbox."""
    if not inbox:
        raise RefusedError("GONE")


def must_be_current(record: Hash, token: str) -> None:
    """Refuse what another incarnation does than the one that the record names."""
    if record.get("token") != token:
        raise RefusedError("FENCED")


def must_be_lender(worker: Stream, tokens: str) -> None:
    """Refuse an outcome that carries what a worker lent that has been declared dead."""
    if tokens and not worker:
        raise RefusedError("FENCED")


def awaited(entry: str, mailbox: Stream, sealed: Stream) -> bool:
    """Tell whether a call is outstanding: whether its entry is there, in a mailbox that may have been sealed."""
    return entry in mailbox.entries or entry in sealed.entries


def take(entry: str, mailbox: Stream, sealed: Stream) -> bool:
    """Decide a call by removing its entry, and tell whether that was done now."""
    return mailbox.remove(entry) or sealed.remove(entry)


def release_carried(call: str, carried: Hash, outbox: Stream) -> None:
    """Have what a call carried released, now that its entry does not answer for it."""
    if call in carried:
        outbox.add(token=f"m:{call}", targets=carried.pop(call))


def take_back(call: str, tokens: str, holds: set[str]) -> bool:
    """Have a worker's index no longer answer for what it lent to an outcome, and tell whether it did."""
    caller = call.rpartition("/")[0]
    lent = {f"lent {target} r:{call} {caller}" for target in tokens.split()} & holds
    holds -= lent
    return bool(lent)


def hand_over(call: str, tokens: str, index: set[str] | None, outbox: Stream) -> None:
    """Have the caller's index answer for what an outcome carries; without one it is released."""
    if tokens and index is not None:
        index.add(f"carry r:{call} {tokens}")
    elif tokens:
        outbox.add(token=f"r:{call}", targets=tokens)
