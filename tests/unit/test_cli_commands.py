"""The command line, as far as it needs no server: help, usage, exit codes, keys, what a supervisor is told."""

import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from callboard.cli import main
from callboard.cli._output import print_data, print_pairs, print_table
from callboard_broker.clusterkey import load_key

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CALLBOARD_ADDRESS", "CALLBOARD_KEY", "CALLBOARD_KEY_FILE", "CALLBOARD_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def run(*words: str) -> Result:
    """Run a command; only its own exits are no errors of the test."""
    result = CliRunner().invoke(main, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Find the words of all commands."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)


@pytest.mark.parametrize("words", list(commands(main)), ids=" ".join)
def test_every_command_teaches(words: Sequence[str]) -> None:
    """Each help text has a sentence and, unless it only groups others, an example that begins with the command."""
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert re.search(r"^  [A-Z][^.]*\.", result.output, re.MULTILINE)
    if words not in {("key",), ("dead",)}:
        assert "Examples:" in result.output
        assert f"callboard {' '.join(words)}".strip() in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", "stones"), "'stones' is not one of 'actors', 'nodes', 'clients', 'names'"),
        (("list", "actors", "-f", "state"), "'state' is no filter; write column=value"),
        (("list", "actors", "-f", "!=x"), "'!=x' is no filter"),
        (("list", "actors", "-f", "colour=red"), "no column 'colour'"),
        (("list", "actors", "--limit", "0"), "limit is between 1 and 10000, not 0"),
        (("list", "actors", "-a", "http://x"), "'http://x' is not a Redis address"),
        (("list", "actors", "-o", "xml"), "'xml' is not one of 'table', 'json', 'yaml'"),
        (("get", "actors", "zz"), "'zz' is no actor id"),
        (("get", "node", "zz"), "'zz' is no node id"),
        (("completion", "tcsh"), "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (("supervisor", "--resources", "{gpu}"), "'{gpu}' is not JSON"),
        (("supervisor", "--resources", '{"gpu": true}'), "does not give amounts by name"),
        (("supervisor", "--resources", "[1]"), "does not give amounts by name"),
        (("supervisor", "--num-cpus", "-1"), "-1.0 is not in the range x>=0"),
        (("up", "--graceful-timeout", "0"), "0.0 is not in the range x>0"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_wrong_usage_exits_with_2(words: Sequence[str], says: str) -> None:
    """The text has the value and what may stand there."""
    result = run(*words)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


LOOKING = (
    ("status",),
    ("list", "actors"),
    ("get", "actors", "ab" * 16),
    ("summary", "actors"),
    ("kill", "x"),
    ("call", "x", "y"),
)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_a_server_that_does_not_answer_exits_with_4(words: Sequence[str]) -> None:
    """The text names the address without its password."""
    result = run(*words, "--address", "redis://:secret@127.0.0.1:1/0")
    assert result.exit_code == 4
    assert "no Redis answers at redis://:***@127.0.0.1:1/0" in result.output
    assert "secret" not in result.output


@pytest.mark.parametrize("words", [*LOOKING, ("supervisor",)], ids=" ".join)
def test_no_callboard_at_all_exits_with_4(words: Sequence[str]) -> None:
    """Without an address and without a callboard that is up, the text says how to get one."""
    for address in ((), ("--address", "auto")):
        result = run(*words, *address)
        assert result.exit_code == 4
        assert "Start one with `callboard up`" in result.output


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """CALLBOARD_ADDRESS is used, and the option goes before it."""
    monkeypatch.setenv("CALLBOARD_ADDRESS", NOWHERE)
    assert f"no Redis answers at {NOWHERE}" in run("status").output
    assert "127.0.0.1:2/0" in run("status", "-a", "redis://127.0.0.1:2/0").output


def test_down_without_up_is_no_error() -> None:
    """It says that there was nothing to end."""
    result = run("down")
    assert (result.exit_code, result.output) == (0, "no callboard is up: nothing to end\n")


def test_version() -> None:
    """It names both versions."""
    assert re.fullmatch(r"callboard \d+\.\d+\.\d+\S*, Python 3\.\d+\.\d+\S*\n", run("version").output)


def test_key_new_writes_the_default_file(tmp_path: Path) -> None:
    """The key is found by all commands of this user, and never replaced."""
    result = run("key", "new")
    path = tmp_path / "config" / "callboard" / "cluster.key"
    assert result.exit_code == 0
    assert result.output == f"wrote the cluster key {load_key().key_id} to {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    again = run("key", "new")
    assert again.exit_code == 1
    assert "is not replaced" in again.output
    assert path.read_bytes() == before
    assert before.decode().strip() not in result.output + again.output


def test_key_new_writes_a_named_file(tmp_path: Path) -> None:
    """And says how to use it."""
    path = tmp_path / "my.key"
    result = run("key", "new", str(path))
    assert result.exit_code == 0
    assert f"export CALLBOARD_KEY_FILE={path}" in result.output
    assert load_key(environ={"CALLBOARD_KEY_FILE": str(path)}).key_id in result.output


def test_the_supervisor_gets_what_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Options are passed on, the address in the environment, where no other user sees its password; a key is made."""
    started: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *command: started.append(command))
    words = ("--num-cpus", "2", "--resources", '{"gpu": 1}', "--graceful-timeout", "3", "--log-dir", str(tmp_path))
    more = ("--prefix", "x", "--heartbeat-timeout", "4.5", "--log-age", "60")
    result = run("supervisor", "-a", "redis://:secret@h/0", *more, *words)
    assert result.exit_code == 0
    ((program, command, environ),) = started
    assert program == sys.executable
    assert command[:3] == [sys.executable, "-m", "callboard_supervisor"]
    assert sorted(command[3:]) == [
        "--graceful-timeout=3.0", "--heartbeat-timeout=4.5", "--log-age=60.0", f"--log-dir={tmp_path}",
        "--num-cpus=2.0", "--prefix=x", '--resources={"gpu": 1}',
    ]  # fmt: skip
    assert environ["CALLBOARD_ADDRESS"] == "redis://:secret@h/0"
    assert (tmp_path / "config" / "callboard" / "cluster.key").exists()


def test_the_supervisor_is_not_started_with_a_bad_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key file that is named and missing is an error, not a reason to make another."""
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started"))
    monkeypatch.setenv("CALLBOARD_KEY_FILE", str(tmp_path / "none"))
    result = run("supervisor", "-a", NOWHERE)
    assert result.exit_code == 1
    assert "CALLBOARD_KEY_FILE names" in result.output


@pytest.mark.parametrize("code", [0, 5])
def test_the_demo_decides_its_exit_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """What the demo returns is what the command exits with."""
    monkeypatch.setitem(sys.modules, "callboard.demo", SimpleNamespace(main=lambda: code))
    assert run("demo").exit_code == code


def test_on_a_terminal_tables_are_folded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Titles are bold, long cells take several lines, and what is in cells is not interpreted there, either."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    print_table(["name", "value"], [("a", "x" * 100), ("\x1b[31m", "[bold]b[/bold]")])
    print_pairs([("title", "text")])
    head, *lines = capsys.readouterr().out.splitlines()
    assert "\x1b[1mNAME" in head
    assert "".join(line.split()[-1] for line in lines[:-2]) == "x" * 100
    assert lines[-2].split() == ["\\x1b[31m", "[bold]b[/bold]"]
    assert "text" in lines[-1]


def test_tables_are_one_line_a_row_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal nothing is cut, coloured or interpreted, and control characters are shown instead of sent."""
    print_table(["name", "value"], [("x" * 300, {"a": 1}), ("\x1b[31m\nred", "[bold]b[/bold]"), ("", None)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["NAME", "VALUE"]
    assert lines[1].split(maxsplit=1) == ["x" * 300, '{"a": 1}']
    assert lines[2].split() == [r"\x1b[31m\nred", "[bold]b[/bold]"]


def test_columns_are_as_wide_as_what_is_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Signs that take two columns count as two, and nothing is padded at the end of a line."""
    print_table(["name", "state", "why"], [("a", "ALIVE", ""), ("漢字", "DEAD", "x"), ("", None, "y")])
    assert capsys.readouterr().out == "NAME  STATE  WHY\na     ALIVE\n漢字  DEAD   x\n             y\n"


def test_l1_yaml_is_as_rays_and_readable(capsys: pytest.CaptureFixture[str]) -> None:
    """Four spaces, three dashes, order as given; tracebacks as the lines that they are."""
    print_data([{"b": 1, "a": {"traceback": "Traceback:\n  line 1\nValueError: x"}}], "yaml")
    assert capsys.readouterr().out == (
        "---\n-   b: 1\n    a:\n        traceback: |-\n            Traceback:\n              line 1\n"
        "            ValueError: x\n"
    )
