"""The callboard that `callboard up` started: where it is written down, and how programs of the same user find it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from callboard.exceptions import RaySystemError
from callboard_broker.daemons import Daemon
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Running:
    """What `callboard up` started.

    Attributes:
        address: Of the server.
        directory: Of the server's data.
        server: The server's process.
        supervisor: The supervisor's process; None while it is being started.
    """

    address: str
    directory: str
    server: Daemon
    supervisor: Daemon | None = None


def state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the callboard of `callboard up` keeps its data, its logs and its state file; it need not exist."""
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):  # the XDG specification: relative paths are invalid and ignored
        home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises without a home
        base = f"{home}/.local/state"
    return Path(base) / "callboard"


def find_address() -> str:
    """Return the address of the callboard that `callboard up` started.

    The server's process runs; whether it answers is not tried.

    Raises:
        BrokerUnreachableError: None has been started, or it has ended.
        RaySystemError: The state file cannot be used.
    """
    running = read_state()
    if running is None:
        raise BrokerUnreachableError(
            f"no callboard runs here: there is no {_file()}. Start one with `callboard up`, or name the address of a "
            "Redis server by CALLBOARD_ADDRESS=redis://HOST:PORT/DB"
        )
    if not running.server.alive:
        raise BrokerUnreachableError(
            f"the callboard that `callboard up` started has ended: its server (pid {running.server.pid}) is gone. Its "
            f"data is kept in {running.directory}; run `callboard down` and `callboard up` to start it again"
        )
    return running.address


def read_state() -> Running | None:
    """Return what `callboard up` wrote down, or None when nothing is.

    Raises:
        RaySystemError: The file is damaged, or not this user's alone.
    """
    path = _file()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RaySystemError(f"cannot read {path}: {error.strerror}. Make it readable, or remove it") from error
    with os.fdopen(descriptor, encoding="utf-8") as file:
        found = os.fstat(descriptor)
        # Its pids are sent signals, and its address is sent calls.
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise RaySystemError(
                f"{path} belongs to uid {found.st_uid} and has mode {found.st_mode & 0o777:04o}: it must be this "
                "user's and have mode 0600. Remove it if you did not make it"
            )
        try:
            stored = json.load(file)
            server, supervisor = stored.pop("server"), stored.pop("supervisor")
            return Running(**stored, server=Daemon(**server), supervisor=Daemon(**supervisor) if supervisor else None)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RaySystemError(
                f"{path} is damaged: {error!r}. End what it started by hand (`ps -ef | grep callboard`), then remove it"
            ) from error


def write_state(running: Running) -> None:
    """Write down what `callboard up` started, for this user only; whoever reads finds the old or the new, never half.

    Raises:
        OSError: The file cannot be written.
    """
    path = _file()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(running), file, indent=4)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def clear_state() -> None:
    """Forget what `callboard up` started; harmless when nothing is written down."""
    _file().unlink(missing_ok=True)


@contextlib.contextmanager
def changing() -> Iterator[Path]:
    """Hold the right to start or end the callboard of this user, and give its directory, which is made when missing.

    Raises:
        RaySystemError: Somebody else holds it.
        OSError: The directory cannot be made.
    """
    place = state_directory()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        if not try_lock(lock.fileno(), alone=True):
            raise RaySystemError(
                "another `callboard up` or `callboard down` is at work; look at `callboard status` when it is done"
            )
        yield place


def _file() -> Path:
    return state_directory() / "running.json"
