"""Values in segments, as their taker has them: freed when nobody can want them, used again when nobody reads them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.haulers import Crate
from tests.support.shelving import free, segments_in

from callboard import _serde
from callboard._parked import Parked
from callboard.exceptions import ObjectLostError
from callboard_broker import mappings
from callboard_broker.segments import SegmentGoneError, Segments

LARGE = 200_000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Segments]:
    """Give the test the segments of a callboard, with a shelf for ``client``."""
    with segments_in(tmp_path / "pages", monkeypatch) as found:
        yield found


def test_a_stub_says_where_each_part_is() -> None:
    """How long it is and, as arrays begin at multiples of 64 bytes, where it begins."""
    apart = _serde.Apart()
    apart.write(b"12345")
    apart.buffers += [memoryview(b"x" * 100), memoryview(b"y")]
    assert apart.stub == b"5 100 1"
    laid = b"".join(apart.laid_out())
    assert len(laid) == _serde.length(apart.stub)
    assert laid == b"12345".ljust(64, b"\0") + (b"x" * 100).ljust(128, b"\0") + b"y"


def test_a_value_is_freed_when_nobody_can_want_it(here: Segments) -> None:
    """It can be loaded again and again; it goes with the last of reference and views."""
    array = bytearray(os.urandom(LARGE))
    parcel = _serde.pack_apart(Crate(array))
    assert parcel.apart is not None
    assert here.write("client", "1.a", parcel.apart.laid_out())
    parked = Parked(here, "client", "1.a", parcel.apart.stub)
    first, second = parked.load(), parked.load()
    assert first.content == second.content == array
    assert first.content.readonly
    del parked, second
    assert free(here) == []
    assert first.content == array
    del first
    assert len(free(here)) == 1


def test_a_value_that_a_fork_has_seen_is_not_used_again(here: Segments) -> None:
    """Parent and child have the same lock, so it does not tell that the child still reads."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    parked = Parked(here, "client", "1.a", b"%d" % LARGE)
    view = memoryview(parked.content())
    mappings._before_fork()
    del view, parked
    assert free(here) == []
    with pytest.raises(SegmentGoneError):
        here.read("client", "1.a", LARGE)


def test_a_child_frees_nothing(here: Segments) -> None:
    """What a forked process drops is its parent's, and so is the lock on the shelf."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    parked = Parked(here, "client", "1.a", b"%d" % LARGE)
    child = os.fork()
    if not child:
        del parked
        os._exit(0 if os.access(here.root / "client" / "1.a", os.R_OK) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert bytes(parked.content()[:3]) == b"111"
    assert list(here.unlocked()) == []


def test_a_value_that_is_gone_is_lost(here: Segments) -> None:
    """The error says which, and what may have happened."""
    parked = Parked(here, "client", "7.a", b"100")
    with pytest.raises(ObjectLostError, match=r"value of client/7 is lost.*cleared"):
        parked.load()


def test_what_is_pinned_outlives_its_shelf(here: Segments) -> None:
    """As a process keeps the values that it has when it leaves."""
    assert here.write("client", "1.a", [b"1" * LARGE])
    parked = Parked(here, "client", "1.a", b"%d" % LARGE)
    parked.pin()
    here.free("client", "1.a")
    assert bytes(parked.content()) == b"1" * LARGE
