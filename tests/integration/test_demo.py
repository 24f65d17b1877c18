"""The demo, as `make demo` runs it."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support import leaks


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run on a callboard of one's own, and find what is left of it."""
    monkeypatch.delenv("CALLBOARD_ADDRESS", raising=False)
    before = leaks.snapshot()
    yield
    leaks.check(before)


@pytest.mark.timeout(180)
def test_the_index_is_right_although_indexers_are_killed() -> None:
    """I1, R5: three clients and ten kills make the same index as a loop; without a terminal the lines are plain."""
    ran = subprocess.run(
        [sys.executable, "-m", "callboard.cli", "demo"], capture_output=True, text=True, check=False, timeout=170
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\x1b" not in ran.stdout
    kills, restarts = map(int, re.findall(r"(\d+) kills survived, (\d+) restarts counted", ran.stdout)[0])
    assert restarts >= kills >= 5
    assert "The index is right" in ran.stdout
    assert re.search(r"redis-cli -s \S+ HGETALL 'cb:\{0\}:actor:[0-9a-f]{32}'", ran.stdout)
