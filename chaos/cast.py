"""The actors of a chaos run: they write down what they start, and fall where the nemesis has laid a wire for them."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from chaos.history import Kind, Pen

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AFTER_CONSTRUCTOR",
    "AFTER_READ",
    "BEFORE_COMMIT",
    "IN_CONSTRUCTOR",
    "IN_USER_CODE",
    "Mayfly",
    "Scribe",
    "Snare",
]

#: Where a wire may lie, which kills whoever comes first.
IN_CONSTRUCTOR: Final = "in the constructor"
AFTER_CONSTRUCTOR: Final = "before the first read"
AFTER_READ: Final = "after reading, before user code"
IN_USER_CODE: Final = "in user code"
BEFORE_COMMIT: Final = "after user code, before commit"

#: Seconds that a call takes: so little that workers are busy with calls, and enough that some wait.
_WORK: Final = 0.001

_trip: Callable[[str], None] | None = None


class Snare:
    """An argument that trips a wire when it is read."""

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Pickle as a call of the class, which is made where it is unpickled."""
        return type(self), ()

    def __init__(self) -> None:
        if _trip is not None:
            _trip(AFTER_READ)


class _Tripwire(tuple[str, str]):
    """A result that trips a wire when it is pickled: the call has run, and its outcome has not been sent."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        if _trip is not None:
            _trip(BEFORE_COMMIT)
        return tuple, (tuple(self),)


class Mayfly:
    """Live for some calls."""

    def echo(self, value: Any) -> Any:
        """Return what was given."""
        return value

    def dawdle(self) -> None:
        """Take longer than anybody waits."""
        threading.Event().wait()


class Scribe:
    """Write down each call that starts.

    Args:
        directory: Of the history; beside its files lie the wires.
        name: Of this actor.
    """

    def __init__(self, directory: str, name: str) -> None:
        global _trip  # noqa: PLW0603 - one actor per process
        self._name = name
        self._wires = Path(directory) / "wires"
        self._incarnation = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._pen = Pen(Path(directory), f"actor-{name}")
        self._pen.write(Kind.BORN, actor=name, incarnation=self._incarnation)
        _trip = self._trip_over
        self._trip_over(IN_CONSTRUCTOR)
        if (self._wires / AFTER_CONSTRUCTOR).exists():
            threading.Timer(secrets.randbelow(3000) / 1e6, self._trip_over, [AFTER_CONSTRUCTOR]).start()

    def note(self, caller: str, number: int, *_snares: Any) -> tuple[str, str]:
        """Start a call; return what it is, and which process ran it."""
        self._pen.write(Kind.START, caller=caller, actor=self._name, call=number, incarnation=self._incarnation)
        self._trip_over(IN_USER_CODE)
        threading.Event().wait(_WORK)
        result = f"{caller}/{number}", self._incarnation
        return _Tripwire(result) if (self._wires / BEFORE_COMMIT).exists() else result

    def pid(self) -> int:
        """Return the process id."""
        return os.getpid()

    def _trip_over(self, wire: str) -> None:
        try:
            (self._wires / wire).unlink()
        except FileNotFoundError:
            return
        self._pen.write(Kind.STRUCK, actor=self._name, incarnation=self._incarnation, told=wire)
        os.kill(os.getpid(), signal.SIGKILL)
