"""Wall clocks of one party each that can be set, while CLOCK_MONOTONIC goes on: by libfaketime, where it is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["Clock", "none_can_be_set"]


def _library() -> Path | None:
    # Not imported: it would have this process started anew.
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    library = Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return library if library.exists() else None


def none_can_be_set() -> str:
    """Return why clocks cannot be set on this machine; empty when they can."""
    return "" if _library() else "libfaketime is not installed: python -m pip install --group chaos"


class Clock:
    """The clock of whoever is started with its environment, and of their children.

    Args:
        place: Where to keep what it says; not removed.
        whose: Of which party.
    """

    def __init__(self, place: Path, whose: str) -> None:
        self.whose = whose
        self._file = place / f"clock-{whose}"
        self.set()

    @property
    def environ(self) -> dict[str, str]:
        """Return what its users must have in their environment."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, *, ahead: float = 0.0, speed: float = 1.0) -> None:
        """Have it show another time than this process's clock.

        Args:
            ahead: By how many seconds; behind it when negative.
            speed: How many times as fast it runs, also since each of its users was started.
        """
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{ahead:+.3f} x{speed:.3f}\n", encoding="ascii")
        draft.rename(self._file)
