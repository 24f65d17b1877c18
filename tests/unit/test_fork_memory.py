"""What the fork server does so that its workers share its memory."""

from callboard_supervisor import forkserver

_PAGE = 4096
_HEADER = 33
_SIZES = range(48, 513, 16)


def test_new_objects_lie_side_by_side_when_the_gaps_are_filled() -> None:
    """Workers would otherwise write to a page of the fork server's for each few objects."""
    crowd = [[bytes(size - _HEADER) for size in _SIZES] for _ in range(3_000)]
    # A third of each page is free now, so what is new lies on three times the pages that it needs.
    del crowd[::3]
    scattered = _pages_of_new_objects()

    fillers = list(forkserver._fill_gaps())

    assert fillers
    # Not a third: what was allocated before this test has left gaps, too, and not each of those is worth filling.
    assert _pages_of_new_objects() < 0.6 * scattered


def _pages_of_new_objects() -> int:
    """Return on how many pages some new objects of each size lie."""
    new = [[id(each) // _PAGE for each in [bytes(size - _HEADER) for _ in range(128)]] for size in _SIZES]
    return sum(len(set(pages)) for pages in new)
