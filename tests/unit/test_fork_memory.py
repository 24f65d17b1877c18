"""What the fork server does so that its workers share its memory."""

from callboard_supervisor import forkserver

_PAGE = 4096
_HEADER = 33
_SIZES = range(48, 513, 16)


def test_new_objects_lie_side_by_side_when_the_gaps_are_filled() -> None:
    """Workers would otherwise write to a page of the fork server's for each few objects."""
    crowd = [[bytes(size - _HEADER) for size in _SIZES] for _ in range(3_000)]
    # Each page has room for some now.
    del crowd[::3]

    fillers = list(forkserver._fill_gaps())

    assert fillers
    for size in _SIZES:
        new = [bytes(size - _HEADER) for _ in range(32)]
        pages = {id(each) // _PAGE for each in new}
        # A pool may end among them, and each object may begin on one page and end on the next.
        assert len(pages) <= 32 * size // _PAGE + 3, f"new objects of {size} bytes lie on {len(pages)} pages"
