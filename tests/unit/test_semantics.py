"""The table of promises: every number is there, and has tests that bear it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \|$", TABLE, re.MULTILINE)
#: How many promises there are of each topic.
TOPICS = {"H": 9, "O": 7, "K": 7, "X": 6, "G": 6, "R": 13, "C": 7, "N": 4, "L": 5, "A": 10}


def known_tests() -> set[str]:
    """Return the names of all tests."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)}


def test_no_number_is_missing() -> None:
    """They count on without a gap, topic by topic."""
    assert [number for number, _, _ in ROWS] == [
        f"{topic}{number}" for topic, many in TOPICS.items() for number in range(1, many + 1)
    ]


@pytest.mark.parametrize(("number", "promise", "named"), ROWS, ids=[number for number, _, _ in ROWS])
def test_a_promise_has_tests_that_bear_its_number(number: str, promise: str, named: str) -> None:
    """The tests that the table names exist, and their names have the number."""
    assert promise.endswith(".")
    found = re.findall(r"`(test_\w+)`", named)
    assert found
    for name in found:
        assert f"_{number.lower()}_" in name
    assert set(found) <= known_tests()
