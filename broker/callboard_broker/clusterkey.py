"""The cluster key: 32 random bytes that sign everything which callboard puts into Redis.

Whoever holds the key may run code in every process of the cluster; whoever lacks it may not, even with write
access to Redis. It therefore never appears in an error text, a repr, an argument list or in Redis. It is looked
for in one order, and the first source that is *named* decides: a source that cannot be used is an error, not a
reason to try the next one, or a process would quietly sign with a key that its operator did not mean.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from callboard_broker.errors import ClusterKeyInvalidError, ClusterKeyMissingError

__all__ = ["ClusterKey", "load_key", "write_key_file"]

_KEY_BYTES = 32
_HEX = re.compile(rb"[0-9a-fA-F]{64}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# A key file has 65 bytes; whatever is longer than this was named by mistake and need not be read to its end.
_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """Hold the secret that all processes of one cluster share.

    The secret is left out of the repr. It is not protected from code in the same process.

    Args:
        secret: exactly 32 bytes.

    Raises:
        ClusterKeyInvalidError: the secret has another length.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != _KEY_BYTES:
            raise ClusterKeyInvalidError(
                f"a cluster key has {_KEY_BYTES} bytes, this one has {len(self.secret)}; "
                "make one with `callboard key new`"
            )

    @property
    def key_id(self) -> str:
        """Name the key in 8 hex characters, safe to show and to store beside what it signed.

        Two keys with the same id are possible (1 in 4 billion), so an id tells keys apart but proves nothing.
        """
        return hashlib.blake2b(self.secret, person=b"callboard-kid").hexdigest()[:8]

    def derive(self, kind: str) -> bytes:
        """Derive the 32-byte key for one kind of entry.

        The same kind always gives the same key; keys of different kinds tell nothing about each other or about
        the secret, so an entry of one kind never passes as another.
        """
        return hashlib.blake2b(kind.encode(), key=self.secret, digest_size=_KEY_BYTES, person=b"callboard-kdf").digest()


def load_key(*, create: bool = False, environ: Mapping[str, str] = os.environ) -> ClusterKey:
    """Load the key from `CALLBOARD_KEY`, else the file `CALLBOARD_KEY_FILE`, else the user's default file.

    A source that is set but unusable is an error; no other source is tried then. Whether other processes have
    the same key is not checked here.

    Args:
        create: make the default file when no source is set and it does not exist. When several processes do
            so at the same time, all return the one key that was written first.
        environ: the environment that names the sources.

    Raises:
        ClusterKeyMissingError: no source is set, the default file does not exist, and create is false.
        ClusterKeyInvalidError: the source is malformed, unreadable, or readable for others.
    """
    value = environ.get("CALLBOARD_KEY")
    if value is not None:
        return _parse(value.strip().encode(errors="replace"), "CALLBOARD_KEY")
    named = environ.get("CALLBOARD_KEY_FILE")
    if named is not None:
        return _read_named_file(named)
    path = default_key_file(environ)
    try:
        return _read_key_file(path)
    except FileNotFoundError:
        if not create:
            raise _missing(path) from None
    try:
        return _write_new(path)
    except FileExistsError:
        return _read_key_file(path)


def write_key_file(path: Path) -> ClusterKey:
    """Write a new random key to a new file of mode 0600; missing folders are made with mode 0700.

    The file appears complete or not at all, and an existing file is never replaced: entries signed with its
    key could not be verified any more.

    Raises:
        ClusterKeyInvalidError: the file exists or cannot be written.
    """
    try:
        return _write_new(path)
    except FileExistsError:
        raise ClusterKeyInvalidError(
            f"{path} exists and is not replaced, as its key may be in use; "
            "use it, choose another path, or remove it first"
        ) from None


def _write_new(path: Path) -> ClusterKey:
    """Do what write_key_file does, and raise FileExistsError when, and only when, the file exists."""
    key = ClusterKey(secrets.token_bytes(_KEY_BYTES))
    # Written aside and linked into place: a process that starts at the same time never reads half a key.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _make_private_folders(path.parent)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.secret.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_file():
            raise
        raise ClusterKeyInvalidError(
            f"cannot write the cluster key file {path}: {error.strerror}; "
            "choose a writable place and set CALLBOARD_KEY_FILE to it"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return key


def _make_private_folders(folder: Path) -> None:
    # Path.mkdir(parents=True) gives its mode to the last folder only.
    if folder.is_dir():
        return
    _make_private_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def default_key_file(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):  # the XDG specification: relative paths are invalid and ignored
        home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises without a home
        base = f"{home}/.config"
    return Path(base) / "callboard" / "cluster.key"


def _missing(path: Path) -> ClusterKeyMissingError:
    return ClusterKeyMissingError(
        "no cluster key: CALLBOARD_KEY and CALLBOARD_KEY_FILE are not set and "
        f"{path} does not exist; set CALLBOARD_KEY_FILE to a copy of the key file of the machine where the "
        "supervisor runs, or make the first key of a new cluster with `callboard key new`"
    )


def _read_named_file(named: str) -> ClusterKey:
    if _HEX.fullmatch(named.strip().encode(errors="replace")):
        raise ClusterKeyInvalidError(
            "CALLBOARD_KEY_FILE holds a key where the path of a key file belongs; "
            "set CALLBOARD_KEY instead, or write the key to a file of mode 0600 and name that file"
        )
    path = Path(named)
    try:
        return _read_key_file(path)
    except FileNotFoundError:
        raise ClusterKeyInvalidError(
            f"CALLBOARD_KEY_FILE names {named!r}, which does not exist; copy the key file of the machine where "
            "the supervisor runs to that place, or unset CALLBOARD_KEY_FILE"
        ) from None


def _read_key_file(path: Path) -> ClusterKey:
    """Read the key, checking the mode of the very file that was opened.

    Raises:
        FileNotFoundError: nothing is at that path.
        ClusterKeyInvalidError: the file cannot be used.
    """
    try:
        # Non-blocking: opening a pipe that was named by mistake would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_mode(path, os.fstat(descriptor).st_mode)
            text = os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ClusterKeyInvalidError(
            f"cannot read the cluster key file {path}: {error.strerror}; "
            "make it readable for the user who runs this program"
        ) from error
    return _parse(text.strip(), f"the cluster key file {path}")


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ClusterKeyInvalidError(
            f"the cluster key file {path} is no regular file; name one that holds 64 hex characters"
        )
    if mode & _OTHERS:
        raise ClusterKeyInvalidError(
            f"the cluster key file {path} has mode {stat.S_IMODE(mode):04o}, open to others than its owner; "
            f"run `chmod 600 {path}` (a mounted secret: give it mode 0400), "
            "and make a new key if others may have read it"
        )


def _parse(text: bytes, source: str) -> ClusterKey:
    if not _HEX.fullmatch(text):
        raise ClusterKeyInvalidError(
            f"{source} holds {len(text)} characters that are no key; a key is exactly 64 hex characters, "
            "as `callboard key new` writes them (a path belongs into CALLBOARD_KEY_FILE)"
        )
    return ClusterKey(bytes.fromhex(text.decode("ascii")))
