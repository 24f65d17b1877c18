"""Which host this is, and which process a pid means.

A pid is a number that the kernel hands out again. Together with the host and the start time it names one process for
ever, so records in Redis carry all three, and whoever finds such a record can tell whether that process still runs.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from pathlib import Path

#: Position of the start time behind the command name in /proc/<pid>/stat: field 22, and the name is field 2.
_START_TIME = 22 - 3


@cache
def host_id() -> str:
    """Name the set of processes that this process can see.

    Guarantees that two processes with the same name can open each other's pidfd: it stands for one boot of one kernel
    and one pid namespace, so two containers on a machine differ, and so does a machine before and after a reboot.
    Does not name a machine that people know. Where there is no Linux /proc the name is random, equal to nobody
    else's.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return f"nowhere-{secrets.token_hex(8)}"
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]


def process_start_time(pid: int) -> int | None:
    """Read when a process of this host began, in clock ticks since boot.

    Guarantees that a later process with the same pid has another value, unless it began within the same tick (10 ms).
    Zombies have one, too: it does not say that the process runs. Returns None for a pid that nobody has, and where
    there is no /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(_after_name(stat)[_START_TIME])


def process_lives(pid: int, start_time: int) -> bool:
    """Tell whether a process that began then has not ended; one that is stopped lives, a zombie does not."""
    try:
        fields = _after_name(Path(f"/proc/{pid}/stat").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[_START_TIME]) == start_time and fields[0] not in {b"Z", b"X"}


def _after_name(stat: bytes) -> list[bytes]:
    # The command name may itself contain spaces and brackets; only the last bracket is certain to end it.
    return stat.rpartition(b")")[2].split()
