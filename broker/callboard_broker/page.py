"""The status page: what a worker is doing, readable by its supervisor even after the worker's death.

One file in /dev/shm per incarnation, mapped by both. The worker writes, the supervisor reads, nobody locks. All numbers
are little endian; times are CLOCK_MONOTONIC in nanoseconds, comparable between processes of one host.

    offset  size  what
    0       8     magic and version: "cb-page3"
    8       1     phase (Phase)
    9       1     turn: bit 0 = a call runs, bit 1 = which call record counts, bits 2 to 7 count on
    10      1     pausing: 1 = the running task waits for others
    11      1     unused
    12      4     number of slots
    16      8     beat counter
    24      8     ending since: when the graceful end began, 0 = it has not
    32      8     connection id of the worker at the broker
    40      24    unused
    64      256   exit note: length byte, UTF-8 (the worker's own last words)
    320     120   call record 0: started at (8), entry: length byte, as the server writes it (48), method: length byte,
                  UTF-8 (64)
    440     120   call record 1: the same
    576     64 n  slots: entry ms (8), entry sequence (8), method: length byte, UTF-8 (40), state (1: 0 = free,
                  1 = started), unused (7)

A worker can be killed between any two stores. Therefore whatever belongs together becomes valid by one store of one
byte, made last: a call record by the turn, a slot by its state, the note by its length.

Serial actors use the call records. The entry in the valid one is a *watermark*: each call of the actor whose stream
entry is not later has started; those of them that are still in the mailbox had started and were not committed.
Threaded and async actors start calls out of order and take a slot for each, from its start until its commit is
acknowledged.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
import struct
import time
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

Entry = tuple[int, int]
"""A stream entry id: milliseconds, sequence. (0, 0) is before all entries."""

PAGE_SIZE = 4096
_MAGIC = b"cb-page3"
_PHASE, _TURN, _PAUSING, _SLOT_COUNT, _BEAT, _ENDING, _CONNECTION = 8, 9, 10, 12, 16, 24, 32
_NOTE, _CALLS, _SLOTS = 64, 320, 576
_NOTE_LENGTH = 255
_FREE, _STARTED = 0, 1
_NUMBER = struct.Struct("<Q")
_COUNT = struct.Struct("<I")
_CALL = struct.Struct("<Q48p64p")
_SLOT = struct.Struct("<QQ40pB7x")
_SLOT_STATE = 56
#: The turn's bit 1, times this, is the offset of a call record from the first.
_RECORD_STEP = _CALL.size // 2

#: How many calls a page of the usual size can tell of, beside the one of a serial actor.
USUAL_SLOTS = (PAGE_SIZE - _SLOTS) // _SLOT.size


class PageError(ValueError):
    """A file is no status page, or one of another version."""


class Phase(IntEnum):
    """How far a worker is."""

    STARTING = 0
    CONSTRUCTING = 1
    READY = 2
    ENDING = 3


class Started(NamedTuple):
    """Which calls have started: all up to the watermark, and those in slots."""

    watermark: Entry
    slots: tuple[Entry, ...]


class _Call(NamedTuple):
    since: int
    entry: bytes
    method: bytes


class StatusPage:
    """A mapped status page: made by `create` for writing (the worker), by `open` for reading (its supervisor).

    Guarantees that a reader finds complete values whenever the writer is killed. Does not order values of different
    fields among each other, except a call's entry, time and method.
    """

    __slots__ = ("_beats", "_free", "_map", "_pack_call", "_turn")

    def __init__(self, mapped: mmap.mmap) -> None:
        self._map = mapped
        self._turn = 0
        self._beats = 0
        self._free = list(range(self.slot_count))[::-1]
        self._pack_call = _CALL.pack_into

    @classmethod
    def create(cls, path: Path, slots: int = USUAL_SLOTS) -> Self:
        """Make an empty page at a path and map it for writing.

        Guarantees that whoever finds the file finds a whole page. A page already there is replaced. The file has one
        page of memory, or as many as the slots need. It is locked as long as its maker has it mapped.

        Raises:
            OSError: The file cannot be made.
        """
        size = -(-(_SLOTS + slots * _SLOT.size) // PAGE_SIZE) * PAGE_SIZE
        draft = _draft(path)
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            os.ftruncate(fd, size)
            mapped = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        mapped[: len(_MAGIC)] = _MAGIC
        _COUNT.pack_into(mapped, _SLOT_COUNT, (size - _SLOTS) // _SLOT.size)
        draft.rename(path)
        return cls(mapped)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map an existing page for reading.

        Raises:
            FileNotFoundError: There is none; a worker that never made its page started no call.
            PageError: The file is no page of this version.
        """
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if size < PAGE_SIZE or size % PAGE_SIZE:
                raise PageError(f"{path} is no status page: {size} bytes")
            mapped = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        if mapped[: len(_MAGIC)] != _MAGIC or cls._slots_of(mapped) != (size - _SLOTS) // _SLOT.size:
            mapped.close()
            raise PageError(f"{path} is no status page of this version")
        return cls(mapped)

    @staticmethod
    def unlink(path: Path) -> None:
        """Remove a page's file. Those who have mapped it keep it; one that is gone already is no error.

        Its maker must be dead or done: what it left half made goes, too.
        """
        path.unlink(missing_ok=True)
        _draft(path).unlink(missing_ok=True)

    def close(self) -> None:
        """Unmap the page. The file stays; closing twice is allowed, any other use afterwards is a ValueError."""
        self._map.close()

    # The writer's side.

    def call_started(self, entry: bytes, since: int, method: bytes) -> None:
        """Note that a serial actor starts the call of a stream entry; about half a microsecond.

        Guarantees that the note survives the death of this process as soon as this returns. The method is cut at 63
        bytes. Not for several threads at once: those claim slots.

        Args:
            entry: As the server writes it; nothing for a call that is in no stream.
            since: Monotonic nanoseconds.
            method: UTF-8.
        """
        turn = self._turn = (self._turn + 2) & 0xFE
        self._pack_call(self._map, _CALLS + (turn & 2) * _RECORD_STEP, since, entry, method)
        self._map[_TURN] = turn | 1

    def call_finished(self) -> None:
        """Note that the call of `call_started` has ended. The watermark stays where it is."""
        self._map[_TURN] = self._turn

    def slot_claim(self, entry: Entry, method: bytes) -> int:
        """Note that the call of an entry starts, and return the slot that says so; usable from any thread.

        The method is cut at 39 bytes.

        Raises:
            IndexError: All slots are taken: the page was made for fewer calls at once.
        """
        index = self._free.pop()
        offset = _SLOTS + index * _SLOT.size
        _SLOT.pack_into(self._map, offset, *entry, method, _FREE)
        self._map[offset + _SLOT_STATE] = _STARTED
        return index

    def slot_free(self, index: int) -> None:
        """Give a slot back, after the commit of its call was acknowledged; usable from any thread."""
        self._map[_SLOTS + index * _SLOT.size + _SLOT_STATE] = _FREE
        self._free.append(index)

    def beat(self) -> None:
        """Move the counter that tells an observer that this process runs."""
        self._beats += 1
        _NUMBER.pack_into(self._map, _BEAT, self._beats)

    def enter(self, phase: Phase) -> None:
        """Note how far the worker is. The first step into ENDING also notes the time."""
        if phase is Phase.ENDING and not self.ending_since:
            _NUMBER.pack_into(self._map, _ENDING, time.monotonic_ns())
        self._map[_PHASE] = phase

    def pause(self, *, pausing: bool) -> None:
        """Note whether the running task only waits for others, so that its room may be used meanwhile."""
        self._map[_PAUSING] = pausing

    def connected(self, connection_id: int) -> None:
        """Note the id that the broker gave to the worker's connection."""
        _NUMBER.pack_into(self._map, _CONNECTION, connection_id)

    def leave_note(self, text: str) -> None:
        """Leave last words for the supervisor, cut at 255 bytes; they replace earlier ones."""
        note = text.encode(errors="replace")[:_NOTE_LENGTH]
        self._map[_NOTE] = 0
        self._map[_NOTE + 1 : _NOTE + 1 + len(note)] = note
        self._map[_NOTE] = len(note)

    # The reader's side.

    @property
    def phase(self) -> Phase:
        """How far the worker is, or was when it died."""
        return Phase(self._map[_PHASE])

    @property
    def beats(self) -> int:
        """The beat counter. Only its moving means anything."""
        return self._number(_BEAT)

    @property
    def running_since(self) -> int:
        """When the running call of a serial actor began, in monotonic nanoseconds; 0 = none runs."""
        call = self._call() if self._map[_TURN] & 1 else None
        return call.since if call else 0

    @property
    def pausing(self) -> bool:
        """Whether the running task only waits for others."""
        return bool(self._map[_PAUSING])

    @property
    def method(self) -> str:
        """Name of the method that a serial actor runs or ran last; empty before the first."""
        return self._call().method.decode(errors="ignore")

    @property
    def ending_since(self) -> int:
        """When the graceful end began, in monotonic nanoseconds; 0 = it has not."""
        return self._number(_ENDING)

    @property
    def connection_id(self) -> int:
        """The worker's connection id at the broker; 0 = not connected yet."""
        return self._number(_CONNECTION)

    @property
    def note(self) -> str:
        """The worker's last words; usually empty."""
        return self._map[_NOTE + 1 : _NOTE + 1 + self._map[_NOTE]].decode(errors="ignore")

    @property
    def slot_count(self) -> int:
        """How many calls can hold a slot at once."""
        return self._slots_of(self._map)

    def started_entries(self) -> Started:
        """Say which calls had started.

        Guarantees for a dead worker: each call that had started is at or below the watermark or in a slot, unless its
        commit was acknowledged. For a living one it is a glance: slots change while they are read.
        """
        call = self._call()
        ms, _, seq = call.entry.partition(b"-")
        return Started((int(ms or 0), int(seq or 0)), tuple((ms, seq) for ms, seq, _ in self._claimed()))

    def running(self) -> list[str]:
        """Return the methods of the calls that run, in no order: a glance, as with `started_entries`."""
        one = [self.method] if self.running_since else []
        return one + [method.decode(errors="ignore") for _, _, method in self._claimed()]

    def _claimed(self) -> Iterator[tuple[int, int, bytes]]:
        slots = _SLOT.iter_unpack(self._map[_SLOTS : _SLOTS + self.slot_count * _SLOT.size])
        return ((ms, seq, method) for ms, seq, method, state in slots if state == _STARTED)

    def _call(self) -> _Call:
        # The writer fills the other record before it moves the turn, so a copy is whole if the turn stood still
        # meanwhile.
        while True:
            turn = self._map[_TURN]
            call = _Call(*_CALL.unpack_from(self._map, _CALLS + (turn & 2) * _RECORD_STEP))
            if self._map[_TURN] & ~1 == turn & ~1:
                return call

    def _number(self, offset: int) -> int:
        return int(_NUMBER.unpack_from(self._map, offset)[0])

    @staticmethod
    def _slots_of(mapped: mmap.mmap) -> int:
        return int(_COUNT.unpack_from(mapped, _SLOT_COUNT)[0])


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def page_directory() -> Path:
    """Return the directory of this user's pages, making it if needed.

    It is /dev/shm/callboard-<uid>, or CALLBOARD_SHM_DIR. Guarantees that nobody else can put files there.

    Raises:
        PermissionError: It belongs to somebody else, or others may write to it, or it is no directory.
        OSError: It cannot be made.
    """
    path = Path(os.environ.get("CALLBOARD_SHM_DIR") or f"/dev/shm/callboard-{os.getuid()}")  # noqa: S108 - checked below
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(
            f"unsafe for status pages: {path} must be a directory that only uid {os.getuid()} writes to"
        )
    return path


def page_path(actor_id: str, token: str) -> Path:
    """Return where the page of one incarnation of an actor lies, whichever node looks after it.

    Raises:
        ValueError: A part would lead out of the directory.
        OSError: See `page_directory`.
    """
    name = f"{actor_id}.{token}"
    if "/" in name or "\0" in name:
        raise ValueError(f"no file name: {name!r}")
    return page_directory() / name
