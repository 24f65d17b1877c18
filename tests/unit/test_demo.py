"""The demo's own parts: what it indexes, how it compares, and the commands that it prints."""

import pytest

from callboard.demo.corpus import Index, count_words, list_files, read
from callboard.demo.report import redis_cli


def test_the_corpus_is_the_standard_library() -> None:
    """Several hundred files, always in the same order, without tests and installed packages."""
    files = list_files()
    assert len(files) > 300
    assert files == list_files()
    assert "ast.py" in files
    assert [file for file in files if "site-packages" in file or file.startswith("test/")] == []


def test_words_of_names_strings_and_comments_count() -> None:
    """Operators, numbers and single letters do not."""
    counts = count_words('def total(values, n):\n    return "total of values" + str(12)  # the Total\n')
    assert counts == {"def": 1, "total": 3, "values": 2, "return": 1, "of": 1, "str": 1, "the": 1}


def test_what_is_no_program_is_counted_as_text() -> None:
    """A file that cannot be tokenized has words all the same."""
    assert count_words("what 'is this (") == {"what": 1, "is": 1, "this": 1}


def test_a_file_counts_once() -> None:
    """Whoever adds a file twice changes nothing, and the order of additions does not matter."""
    files = list_files()[:5]
    once, again = Index(), Index()
    for file in files:
        once.add(file, count_words(read(file)))
    for file in [*files[::-1], *files]:
        again.add(file, count_words(read(file)))
    assert once.summary() == again.summary()
    assert once.summary().files == 5


def test_every_difference_is_seen() -> None:
    """One count, one word or one file more is another digest."""
    index, other, third = Index(), Index(), Index()
    index.add("a.py", {"word": 1})
    other.add("a.py", {"word": 2})
    third.add("a.py", {"word": 1})
    third.add("b.py", {})
    assert len({each.summary().digest for each in (index, other, third, Index())}) == 4


def test_the_most_frequent_file_comes_first() -> None:
    """Looking a word up sorts by how often it occurs."""
    index = Index()
    for file, count in (("a.py", 1), ("b.py", 3), ("c.py", 3)):
        index.add(file, {"word": count})
    assert list(index.look_up("word").items()) == [("b.py", 3), ("c.py", 3), ("a.py", 1)]
    assert index.look_up("nothing") == {}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:///tmp/x/redis.sock", "redis-cli -s /tmp/x/redis.sock"),
        ("unix:///tmp/a%20b/redis.sock?db=2", "redis-cli -s '/tmp/a b/redis.sock' -n 2"),
        ("redis://db:6379/1", "redis-cli -u redis://db:6379/1"),
        ("rediss://joe:secret@db:6379", "redis-cli -u 'rediss://joe:***@db:6379'"),
    ],
)
def test_the_printed_commands_reach_the_server(address: str, expected: str) -> None:
    """redis-cli is called for the address, and no password is shown."""
    assert redis_cli(address) == expected
