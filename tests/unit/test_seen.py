"""The dedup ledger against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from callboard_broker.seen import Finished, Ledger


@given(numbers=st.lists(st.integers(1, 40)))
def test_the_ledger_is_a_set(numbers: list[int]) -> None:
    """In whatever order calls finish, the ledger knows exactly those, also after being stored and read."""
    finished, model = Finished(), set[int]()
    for number in numbers:
        finished.add(number)
        model.add(number)
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
