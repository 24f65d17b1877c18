"""The examples: each runs to its end, prints what it promises, and is a program for Ray but for one import line."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import leaks

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
IMPORT = "import callboard as ray"


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run on a callboard of one's own, and find what is left of it."""
    monkeypatch.delenv("CALLBOARD_ADDRESS", raising=False)
    before = leaks.snapshot()
    yield
    leaks.check(before)


def first_program(lines: list[str]) -> None:
    """Sums of one actor's calls, in order, then one more through its name."""
    assert lines == ["[100, 101, 103, 106, 110]", "142"]


def fault_tolerance(lines: list[str]) -> None:
    """R1, R5: four restarts hide four deaths; all calls after the fifth raise."""
    assert lines == [str(number) for _ in range(5) for number in range(1, 11)] + ["FAILURE"] * 10


def parent_child(lines: list[str]) -> None:
    """O2, O4: the child dies with its owner, although it may be restarted; the detached one lives on."""
    assert lines[0] == "before: hello hello"
    assert lines[1].startswith("Failed to submit actor call")
    assert "owner" in " ".join(lines[1:-2])
    assert lines[-2:] == ["detached_actor.ping: hello", "by its name: hello"]


def file_processor(lines: list[str]) -> None:
    """H1, G2: the hook runs when the last handle has gone."""
    assert lines == [
        "Processed item1, 1 so far",
        "Processed item2, 2 so far",
        "Processed item3, 3 so far",
        "The file is there: True",
        "The file is there: False",
    ]


def kill_actor(lines: list[str]) -> None:
    """K1, K2, K4: calls after `kill` raise; killing twice does nothing."""
    assert lines[:2] == ["['one']", "The actor is dead: ActorDiedError"]
    assert "killed by" in " ".join(lines[2:])
    assert "Unreachable." not in lines


def exit_actor(lines: list[str]) -> None:
    """X1, X2: calls before `exit_actor` have run, it and later ones raise, outside an actor it is a TypeError."""
    assert lines[0] == "before: [1, 2, 3]"
    assert [re.split(":", line)[0] for line in lines[1:3]] == ["leaving", "after"]
    assert all("exit_actor() is called" in line for line in lines[1:3])
    assert lines[3:] == ["Only an actor can leave."]


PROMISES: dict[str, Callable[[list[str]], None]] = {
    "exit_actor": exit_actor,
    "fault_tolerance": fault_tolerance,
    "file_processor": file_processor,
    "first_program": first_program,
    "kill_actor": kill_actor,
    "parent_child": parent_child,
}


def test_every_example_has_its_promise() -> None:
    """No example is left out of the test below."""
    assert [path.stem for path in EXAMPLES] == sorted(PROMISES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_does_what_it_promises(path: Path, tmp_path: Path) -> None:
    """It prints what it should, says nothing on stderr and ends with exit code 0."""
    ran = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert (ran.returncode, ran.stderr) == (0, "")
    PROMISES[path.stem](ran.stdout.splitlines())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_only_the_import_line_knows_callboard(path: Path) -> None:
    """With `import ray` in its place the program is one for Ray."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "callboard" in line.lower()] == [IMPORT]
