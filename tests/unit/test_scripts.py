"""The Lua files: each has its header and its operation."""

import ast
import re
from pathlib import Path

import pytest

from callboard_broker import operations, scripts

OPERATIONS = Path(operations.__file__).parent


def used_scripts() -> set[str]:
    """Find the scripts that operations name."""
    found = set()
    for path in OPERATIONS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="script"), args=[ast.Constant(value=str(name))]):
                    found.add(name)
    return found


def test_each_script_has_its_operation() -> None:
    """No file without a function, no function without a file."""
    assert used_scripts() == set(scripts.names())


@pytest.mark.parametrize("name", scripts.names())
def test_each_script_says_what_it_does(name: str) -> None:
    """Flags, purpose, inputs and result stand at its head; it declares a key, so that clusters know where it runs."""
    script = scripts.script(name)
    header = [line for line in script.text.splitlines() if line.startswith("--")]
    assert script.text.startswith("#!lua")
    assert script.keys
    assert not header[0].startswith(("-- KEYS", "-- ARGV"))
    assert any(line.startswith("-- Returns") for line in header)


def test_wrong_inputs_are_refused_before_they_are_sent() -> None:
    """A missing or superfluous key or argument is a mistake of ours."""
    script = scripts.script("release_name")
    with pytest.raises(TypeError, match=r"release_name.lua takes the keys name, but got 0"):
        script.eval([], ["a"])
    with pytest.raises(TypeError, match="arguments"):
        script.eval([b"k"], ["a", "b"])


@pytest.mark.parametrize("name", scripts.names())
def test_errors_begin_with_their_code(name: str) -> None:
    """The server puts ``ERR`` before an error of a single word, and nobody would recognise it."""
    found = re.findall(r"error_reply\('([^']*)'", scripts.script(name).text)
    assert all(re.match(r"[A-Z]+ ", error) for error in found), found


@pytest.mark.parametrize("name", scripts.names())
def test_errors_are_named_in_the_header(name: str) -> None:
    """What a script may refuse with stands where it says what it does."""
    text = scripts.script(name).text
    errors = re.search(r"^-- Errors: .*(\n-- .*)*", text, re.MULTILINE)
    named = set(re.findall(r"\b[A-Z]{4,}\b", errors[0])) if errors else set()
    assert named == set(re.findall(r"error_reply\('([A-Z]+) ", text))
