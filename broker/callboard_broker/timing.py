"""Times that all parties go by, and where they are set."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names in Ray's ``_system_config``, and what they set.
_SYSTEM_CONFIG: Final = {
    "actor_graceful_shutdown_timeout_ms": "graceful_timeout",
    "heartbeat_timeout_ms": "heartbeat_timeout",
    "idle_worker_killing_time_threshold_ms": "idle_timeout",
}
_ENVIRONMENT: Final = {
    "CALLBOARD_GRACEFUL_TIMEOUT": "graceful_timeout",
    "CALLBOARD_HEARTBEAT_TIMEOUT": "heartbeat_timeout",
    "CALLBOARD_IDLE_TIMEOUT": "idle_timeout",
}
#: What the wall clock said when this process began, less what the one said that nobody sets.
_BEGAN: Final = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def latest_ms() -> int:
    """Return the wall clock in milliseconds, as if it had never been put back since this process began."""
    return max(time.time_ns(), _BEGAN + time.clock_gettime_ns(time.CLOCK_BOOTTIME)) // 1_000_000


def earliest_ms() -> int:
    """Return the wall clock in milliseconds, as if it had never been put ahead since this process began."""
    return min(time.time_ns(), _BEGAN + time.clock_gettime_ns(time.CLOCK_BOOTTIME)) // 1_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Times, in seconds.

    Attributes:
        heartbeat_timeout: A counter that has not moved for so long belongs to somebody who is lost. 15 s ride out a
            cut of 5 s with a margin.
        graceful_timeout: How long an actor may take over its end before it is killed.
        idle_timeout: How long a worker for remote functions waits for the next before it ends.
        explicit: Which of them were set on purpose.
    """

    heartbeat_timeout: float = 15.0
    graceful_timeout: float = 30.0
    idle_timeout: float = 10.0
    explicit: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ``CALLBOARD_GRACEFUL_TIMEOUT``, ``CALLBOARD_HEARTBEAT_TIMEOUT``, ``CALLBOARD_IDLE_TIMEOUT``, in seconds.

        Raises:
            ValueError: One of them is not a positive number.
        """
        timing = cls()
        for variable, name in _ENVIRONMENT.items():
            if variable in environ:
                timing = timing._set(name, environ[variable], 1.0, variable)
        return timing

    def override(self, system_config: Mapping[str, Any]) -> Self:
        """Return the times with those of a ``_system_config``, in milliseconds, put in.

        Raises:
            ValueError: A name is unknown, or a value is not a positive number.
        """
        timing = self
        for name, value in system_config.items():
            if name not in _SYSTEM_CONFIG:
                raise ValueError(f"_system_config has no {name!r}; it takes {', '.join(_SYSTEM_CONFIG)}")
            timing = timing._set(_SYSTEM_CONFIG[name], value, 1000.0, name)
        return timing

    @property
    def beat_interval(self) -> float:
        """Return the seconds between two beats: five chances before a counter counts as still."""
        return self.heartbeat_timeout / 5

    @property
    def graceful_ms_if_set(self) -> int:
        """Return the graceful timeout in milliseconds if it was set on purpose, else 0."""
        return int(self.graceful_timeout * 1000) if "graceful_timeout" in self.explicit else 0

    def as_options(self) -> dict[str, str]:
        """Return the supervisor's command line options for these times."""
        times = asdict(self)
        return {name.replace("_", "-"): str(times[name]) for name in _SYSTEM_CONFIG.values()}

    def _set(self, name: str, value: Any, unit: float, source: str) -> Self:
        try:
            seconds = float(value) / unit
        except (TypeError, ValueError):
            seconds = 0.0
        if not seconds > 0:
            raise ValueError(f"{source} must be a positive number, not {value!r}")
        return replace(self, **{name: seconds}, explicit=self.explicit | {name})
