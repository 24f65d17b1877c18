"""Retrying what a method raises (R9), and what is refused because it does not exist yet."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import callboard


class Flaky:
    """Raise until a method has been called often enough; the count is kept in a file, as a restart forgets."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def _attempt(self, name: str) -> int:
        with self._path.open("a") as file:
            file.write(f"{name}\n")
        return self._path.read_text().split().count(name)

    def plain(self, name: str, good: int) -> int:
        return self._raise_until(name, good)

    @callboard.method(retry_exceptions=True, max_task_retries=2)
    def marked(self, name: str, good: int) -> int:
        return self._raise_until(name, good)

    @callboard.method(retry_exceptions=[KeyError], max_task_retries=-1)
    def picky(self, name: str, good: int) -> int:
        return self._raise_until(name, good)

    def _raise_until(self, name: str, good: int) -> int:
        attempt = self._attempt(name)
        if attempt < good:
            raise LookupError(name) if attempt == 2 else KeyError(name)
        return attempt


@pytest.fixture
def flaky(ray: ModuleType, tmp_path: Path) -> Any:
    """Make the actor."""
    return ray.remote(max_task_retries=5)(Flaky).remote(str(tmp_path / "attempts"))


def test_r9_a_marked_method_is_retried_within_its_retries(ray: ModuleType, flaky: Any, tmp_path: Path) -> None:
    """Two retries are three attempts; then the last exception is raised. Later calls wait their turn."""
    refs = [flaky.marked.remote("a", 3), flaky.marked.remote("b", 4), flaky.plain.remote("c", 1)]
    assert ray.get(refs[0], timeout=10) == 3
    with pytest.raises(KeyError):
        ray.get(refs[1], timeout=10)
    assert ray.get(refs[2], timeout=10) == 1
    assert (tmp_path / "attempts").read_text().split() == ["a", "a", "a", "b", "b", "b", "c"]


def test_r9_only_the_named_exceptions_are_retried(ray: ModuleType, flaky: Any) -> None:
    """Another type is raised at its first occurrence."""
    with pytest.raises(LookupError) as caught:
        ray.get(flaky.picky.remote("d", 9), timeout=10)
    assert not isinstance(caught.value, KeyError)


def test_r9_the_nearer_setting_wins(ray: ModuleType, flaky: Any) -> None:
    """`.options` of a call beats the mark of the method; without either nothing is retried."""
    assert ray.get(flaky.plain.options(retry_exceptions=True).remote("e", 4), timeout=10) == 4
    assert ray.get(flaky.plain.options(retry_exceptions=[LookupError]).remote("f", 3), timeout=10) == 3
    with pytest.raises(KeyError):
        ray.get(flaky.plain.remote("g", 2), timeout=10)
    for method, name in ((flaky.marked, "h"), (flaky.picky, "i")):
        with pytest.raises(KeyError):
            ray.get(method.options(retry_exceptions=False).remote(name, 2), timeout=10)
