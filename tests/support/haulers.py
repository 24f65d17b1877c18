"""Actors that are given large values, and values like arrays. Imported by workers: nothing heavy here."""

import hashlib
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.mortals import Notes, pass_gate

from callboard_broker.page import page_directory

__all__ = ["AsyncHauler", "Crate", "Hauler", "digest", "in_segments"]


class Crate:
    """Hold a buffer that pickle may leave apart, as NumPy's arrays do."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __reduce_ex__(self, _protocol: object) -> tuple[object, ...]:
        return Crate, (pickle.PickleBuffer(self.content),)


def digest(value: Any) -> str:
    """Return what tells large values from each other."""
    if isinstance(value, str):
        value = value.encode()
    return hashlib.sha256(value.content if isinstance(value, Crate) else value).hexdigest()


def in_segments() -> list[Path]:
    """List the values that lie in segments."""
    top = page_directory()
    found = [Path(at, name) for at, _, files in os.walk(top) for name in files]
    return [path for path in found if path.parent.parent.parent == top and path.parent.name != "free"]


class Hauler:
    """Take and give large values."""

    def __init__(self, notes: str = "") -> None:
        self._notes = Notes(notes or os.devnull)
        self._kept: list[Any] = []
        if notes:
            self._notes.introduce()

    def pid(self) -> int:
        """Return the process."""
        return os.getpid()

    def echo(self, value: Any, *_others: Any) -> Any:
        """Return what it was given."""
        return value

    def digest(self, value: Any) -> str:
        """Return what tells values from each other."""
        return digest(value)

    def readonly(self, value: Crate) -> bool:
        """Tell whether a crate cannot be written to."""
        return memoryview(value.content).readonly

    def make(self, size: int, seed: int = 0) -> bytes:
        """Return a large value."""
        return bytes([seed % 256]) * size

    def crate(self, size: int, seed: int = 0) -> Crate:
        """Return a large value that is like an array."""
        return Crate(bytearray([seed % 256]) * size)

    def keep(self, value: Any) -> int:
        """Keep what it was given."""
        self._kept.append(value)
        return len(self._kept)

    def kept(self) -> list[str]:
        """Tell what is kept from each other."""
        return [digest(value) for value in self._kept]

    def forget(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()

    def note(self, value: Any) -> str:
        """Note what it was given."""
        self._notes.add(digest(value))
        return digest(value)

    def die_once(self, value: Any) -> str:
        """Note what it was given; be killed when this is the first time."""
        self._notes.add(digest(value))
        if self._notes.count(digest(value)) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return digest(value)

    def wait(self, gate: str, value: Any = None) -> Any:
        """Return what it was given, after a gate has been opened."""
        self._notes.add("waits")
        pass_gate(gate)
        return value

    def several(self, size: int, number: int) -> Iterator[bytes]:
        """Give several large values."""
        for seed in range(number):
            yield self.make(size, seed)

    def fill_the_memory(self) -> None:
        """Have no room for further segments in this process."""
        from callboard_broker.segments import Segments  # noqa: PLC0415 - what is spoiled here

        Segments.write = lambda *_: False  # type: ignore[method-assign]

    def shared(self) -> list[str]:
        """Return what of the shared memory this process has mapped."""
        maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        return [line for line in maps if "/dev/shm/" in line and ".journal" not in line]


class AsyncHauler(Hauler):
    """Do the same in coroutines."""

    async def aecho(self, value: Any) -> Any:
        """Return what it was given."""
        return value

    async def adigest(self, value: Any) -> str:
        """Return what tells values from each other."""
        return digest(value)
