"""The dedup ledger against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from callboard_broker.seen import Finished, Ledger


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40))))
def test_the_ledger_is_a_set(steps: list[tuple[bool, int]]) -> None:
    """Whatever finishes, or runs again, the ledger knows exactly what has finished, also when it was stored."""
    finished, model = Finished(), set[int]()
    for ends, number in steps:
        if ends:
            finished.add(number)
            model.add(number)
        else:
            finished.remove(number)
            model.discard(number)
        again = Finished(finished.stored())
        for candidate in range(1, 42):
            assert (candidate in finished) == (candidate in again) == (candidate in model)


@given(count=st.integers(0, 1000))
def test_calls_that_finish_in_order_take_no_room(count: int) -> None:
    """A serial actor's ledger is one number per caller."""
    finished = Finished()
    for number in range(1, count + 1):
        finished.add(number)
    assert finished.stored() == b"%d" % count


@given(gaps=st.sets(st.integers(1, 500), min_size=1, max_size=5), count=st.integers(500, 1000))
def test_a_gap_that_stays_takes_little_room(gaps: set[int], count: int) -> None:
    """A number that is never finished, as its call was refused, does not make the ledger grow with those after it."""
    finished = Finished()
    for number in range(1, count + 1):
        if number not in gaps:
            finished.add(number)
    assert finished.stored().count(b",") <= len(gaps)
    assert all((number in finished) == (number not in gaps) for number in range(1, count + 1))


@given(low=st.integers(0, 5), appended=st.lists(st.integers(1, 20)))
def test_numbers_that_scripts_append_are_read_in_any_order(low: int, appended: list[int]) -> None:
    """A script does not read what is stored; it appends."""
    stored = b"%d" % low + (b"|" if appended else b"") + b",".join(b"%d" % number for number in appended)
    finished = Finished(stored)
    assert {number for number in range(1, 25) if number in finished} == {*range(1, low + 1), *appended}


def test_callers_do_not_share() -> None:
    """Each caller has numbers of its own."""
    ledger = Ledger({"a": b"3|5"})
    assert 5 in ledger.of("a")
    assert 4 not in ledger.of("a")
    assert 1 not in ledger.of("b")


@given(earlier=st.lists(st.integers(1, 40)), since=st.lists(st.integers(1, 40)))
def test_what_was_finished_since_is_told(earlier: list[int], since: list[int]) -> None:
    """I5: what a server has forgotten is the difference between two states of the ledger."""
    ledger = Ledger()
    for number in earlier:
        ledger.of("a").add(number)
    stored = {"a": ledger.of("a").stored()}
    for number in since:
        ledger.of("a").add(number)
    assert ledger.beyond(stored) == {("a", number) for number in set(since) - set(earlier)}
    assert ledger.beyond({}) == {("a", number) for number in {*since, *earlier}}
