"""A10: types without a plugin, seen as users see them: mypy and pyright check files beside an installed callboard."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARK = "# error"

#: A file below the folder that was checked, and a line of it.
Place = tuple[str, int]


def run(folder: Path, *command: str) -> str:
    """Run a checker, which says by its exit code that it found something, or nothing."""
    # Else pyright asks a server whether there is a newer one.
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr + done.stdout
    return done.stdout


def mypy(folder: Path) -> dict[Place, str]:
    """Return what mypy finds: without a configuration of ours, and with the strictness that users may have."""
    cache = str(folder / "cache")
    found = run(folder, "mypy", "--strict", "--config-file=", "--cache-dir", cache, "--output", "json", ".")
    told = [json.loads(line) for line in found.splitlines() if line.startswith("{")]
    return {(each["file"], each["line"]): each["message"] for each in told if each["severity"] == "error"}


def pyright(folder: Path) -> dict[Place, str]:
    """Return what pyright finds; it is strict about what is right, as that reports whatever is not known."""
    (folder / "pyrightconfig.json").write_text(json.dumps({"include": ["."], "strict": ["right"]}))
    told = json.loads(run(folder, "pyright", "--pythonpath", sys.executable, "--outputjson"))["generalDiagnostics"]
    return {
        (str(Path(each["file"]).relative_to(folder)), each["range"]["start"]["line"] + 1): each["message"]
        for each in told
    }


def marked(folder: Path) -> set[Place]:
    """Return the lines that are marked as wrong."""
    return {
        (str(path.relative_to(folder)), number)
        for path in folder.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith(MARK)
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a10_checkers_find_all_mistakes_and_nothing_else(
    tmp_path: Path, checker: Callable[[Path], dict[Place, str]]
) -> None:
    """A10: constructors, methods, results and options are checked; what is right passes, also without marks."""
    for kind in ("right", "wrong"):
        shutil.copytree(HERE / kind, tmp_path / kind)
    found = checker(tmp_path)
    mistakes = marked(tmp_path)
    assert {place: text for place, text in found.items() if place not in mistakes} == {}
    assert sorted(mistakes - set(found)) == []
    assert len(mistakes) > 40


def test_a10_the_packages_say_that_they_are_typed() -> None:
    """A10: without the marker, which the wheel takes along with each package, checkers would not look into it."""
    packages = [path.parent for path in ROOT.glob("*/callboard*/__init__.py")]
    assert sorted(package.name for package in packages) == ["callboard", "callboard_broker", "callboard_supervisor"]
    assert [package.name for package in packages if not (package / "py.typed").is_file()] == []
