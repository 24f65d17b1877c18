"""The cluster key: where it comes from, what is refused, and that it never shows."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_broker.clusterkey import ClusterKey, load_key, write_key_file
from callboard_broker.errors import ClusterKeyInvalidError, ClusterKeyMissingError

HEX = "00112233445566778899aabbccddeeff" * 2
OTHER_HEX = "ff" * 32
KEY = ClusterKey(bytes.fromhex(HEX))


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a key file by hand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_variable_comes_first(tmp_path: Path) -> None:
    """CALLBOARD_KEY wins over both files."""
    named = write(tmp_path / "named.key", OTHER_HEX)
    write(tmp_path / "callboard" / "cluster.key", OTHER_HEX)
    environ = {"CALLBOARD_KEY": HEX, "CALLBOARD_KEY_FILE": str(named), "XDG_CONFIG_HOME": str(tmp_path)}
    assert load_key(environ=environ) == KEY


def test_the_named_file_comes_second(tmp_path: Path) -> None:
    """CALLBOARD_KEY_FILE wins over the default file."""
    named = write(tmp_path / "named.key", HEX + "\n")
    write(tmp_path / "callboard" / "cluster.key", OTHER_HEX)
    assert load_key(environ={"CALLBOARD_KEY_FILE": str(named), "XDG_CONFIG_HOME": str(tmp_path)}) == KEY


def test_the_default_file_comes_last(tmp_path: Path) -> None:
    """The default file lies in the XDG folder, or in ~/.config when that is unset or relative."""
    write(tmp_path / "xdg" / "callboard" / "cluster.key", HEX + "\n")
    write(tmp_path / ".config" / "callboard" / "cluster.key", OTHER_HEX + "\n")
    assert load_key(environ={"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path)}) == KEY
    for relative in ({}, {"XDG_CONFIG_HOME": "xdg"}, {"XDG_CONFIG_HOME": ""}):
        assert load_key(environ={**relative, "HOME": str(tmp_path)}).secret.hex() == OTHER_HEX


@pytest.mark.parametrize("text", ["", " ", "12", HEX[:-1], HEX + "0", "g" * 64, "/run/secrets/cluster_key"])
def test_a_malformed_variable_is_fatal(tmp_path: Path, text: str) -> None:
    """A malformed CALLBOARD_KEY is an error, although a good default file exists."""
    write(tmp_path / "callboard" / "cluster.key", HEX)
    with pytest.raises(ClusterKeyInvalidError, match=r"CALLBOARD_KEY holds .* 64 hex characters"):
        load_key(create=True, environ={"CALLBOARD_KEY": text, "XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize("text", ["", HEX[:-1], HEX + HEX, "g" * 64, "\x00" * 32, "é" * 64])
def test_a_malformed_file_is_fatal(tmp_path: Path, text: str) -> None:
    """A malformed file is an error that names the file, in both places, and create does not replace it."""
    path = write(tmp_path / "callboard" / "cluster.key", text)
    for environ in ({"CALLBOARD_KEY_FILE": str(path)}, {"XDG_CONFIG_HOME": str(tmp_path)}):
        with pytest.raises(ClusterKeyInvalidError, match=str(path)):
            load_key(create=True, environ=environ)
    assert path.read_text() == text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o602])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A file that others may read or write is refused, and the error names the cure."""
    path = write(tmp_path / "callboard" / "cluster.key", HEX, mode)
    with pytest.raises(ClusterKeyInvalidError, match=f"mode {mode:04o}.*chmod 600 {path}"):
        load_key(environ={"XDG_CONFIG_HOME": str(tmp_path)})
    path.chmod(0o400)
    assert load_key(environ={"XDG_CONFIG_HOME": str(tmp_path)}) == KEY


def test_a_named_file_that_is_missing_is_fatal(tmp_path: Path) -> None:
    """A missing CALLBOARD_KEY_FILE is neither made nor passed over."""
    write(tmp_path / "callboard" / "cluster.key", HEX)
    missing = tmp_path / "missing.key"
    environ = {"CALLBOARD_KEY_FILE": str(missing), "XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(ClusterKeyInvalidError, match=r"missing\.key', which does not exist"):
        load_key(create=True, environ=environ)
    assert not missing.exists()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A folder, an empty path and a pipe without a writer are errors, not a wait."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for named in (str(tmp_path), "", str(pipe)):
        with pytest.raises(ClusterKeyInvalidError, match="no regular file"):
            load_key(environ={"CALLBOARD_KEY_FILE": named})


def test_an_unreadable_place_is_fatal(tmp_path: Path) -> None:
    """A default path that cannot be reached is an error, also with create."""
    (tmp_path / "callboard").write_text("in the way")
    for create in (False, True):
        with pytest.raises(ClusterKeyInvalidError, match=f"{tmp_path}/callboard/cluster.key"):
            load_key(create=create, environ={"XDG_CONFIG_HOME": str(tmp_path)})


def test_no_key_anywhere_says_what_to_do(tmp_path: Path) -> None:
    """Without a key the error names the file to copy and the command that makes one."""
    with pytest.raises(ClusterKeyMissingError, match=r"set CALLBOARD_KEY_FILE .*`callboard key new`"):
        load_key(environ={"XDG_CONFIG_HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_create_makes_a_private_file(tmp_path: Path) -> None:
    """The made file has mode 0600 in folders of mode 0700, holds one line, and is read from then on."""
    base = tmp_path / "deep" / "config"
    old = os.umask(0)
    try:
        key = load_key(create=True, environ={"XDG_CONFIG_HOME": str(base)})
    finally:
        os.umask(old)
    path = base / "callboard" / "cluster.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (base.parent, base, path.parent)} == {0o700}
    assert path.read_text() == key.secret.hex() + "\n"
    assert list(path.parent.iterdir()) == [path]
    assert load_key(create=True, environ={"XDG_CONFIG_HOME": str(base)}) == key


def test_concurrent_creators_agree(tmp_path: Path) -> None:
    """Whoever comes second reads the key of whoever came first."""
    count = 8
    for attempt in range(20):
        start = threading.Barrier(count)
        environ = {"XDG_CONFIG_HOME": str(tmp_path / str(attempt))}

        def create(start: threading.Barrier, environ: dict[str, str]) -> ClusterKey:
            start.wait()
            return load_key(create=True, environ=environ)

        with ThreadPoolExecutor(count) as pool:
            keys = {pool.submit(create, start, environ) for _ in range(count)}
        assert len({future.result() for future in keys}) == 1


def test_a_key_file_is_never_replaced(tmp_path: Path) -> None:
    """Writing to an existing path is an error that leaves the file and nothing else."""
    path = tmp_path / "cluster.key"
    first = write_key_file(path)
    with pytest.raises(ClusterKeyInvalidError, match="exists and is not replaced"):
        write_key_file(path)
    assert load_key(environ={"CALLBOARD_KEY_FILE": str(path)}) == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An unwritable place is an error with its path and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ClusterKeyInvalidError, match=f"{tmp_path}/file/cluster.key: "):
        write_key_file(tmp_path / "file" / "cluster.key")


def test_the_key_never_shows(tmp_path: Path) -> None:
    """Neither a repr nor the text of an error, its cause or its context holds the key."""
    shown = [repr(KEY), str(KEY), f"{[KEY]}"]
    path = write(tmp_path / "open.key", HEX, 0o644)
    too_long = write(tmp_path / "long.key", HEX + "ff")
    for environ in (
        {"CALLBOARD_KEY": HEX + "ff"},
        {"CALLBOARD_KEY_FILE": HEX},
        {"CALLBOARD_KEY_FILE": str(path)},
        {"CALLBOARD_KEY_FILE": str(too_long)},
    ):
        with pytest.raises(ClusterKeyInvalidError) as caught:
            load_key(environ=environ)
        error: BaseException | None = caught.value
        while error:
            shown += [str(error), repr(error)]
            error = error.__cause__ or error.__context__
    assert not [text for text in shown if HEX[:8] in text]


def test_a_secret_of_another_length_is_refused() -> None:
    """A key has exactly 32 bytes."""
    for length in (0, 31, 33):
        with pytest.raises(ClusterKeyInvalidError, match=f"this one has {length}"):
            ClusterKey(bytes(length))


def test_ids_and_derived_keys_do_not_change() -> None:
    """Entries signed by an earlier release stay valid."""
    assert KEY.key_id == "2c7bde4c"
    assert KEY.derive("call").hex() == "e1f6258fcdd8bd1d22bd83503d180324045e216b8de97239ce31368aa751b398"


@given(st.text(), st.text())
def test_each_kind_has_its_own_key(one: str, other: str) -> None:
    """Derived keys have 32 bytes and are equal exactly when their kinds are."""
    assert len(KEY.derive(one)) == 32
    assert (KEY.derive(one) == KEY.derive(other)) == (one == other)
    assert KEY.derive(one) != KEY.secret


@given(st.binary(min_size=32, max_size=32))
def test_a_written_key_is_read_back(secret: bytes) -> None:
    """Hexadecimal digits of either case, with or without white space around them, give the key."""
    for text in (secret.hex(), secret.hex().upper(), f" {secret.hex()}\n"):
        assert load_key(environ={"CALLBOARD_KEY": text}).secret == secret
