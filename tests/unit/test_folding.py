"""Folding lines that several processes repeat."""

from callboard._folding import WINDOW, Folding, Line


def line(text: str, prefix: str = "(C pid=1)", stream: str = "out") -> Line:
    """Make a line."""
    return Line(stream, prefix, text)


def test_l5_what_one_process_repeats_is_shown() -> None:
    """L5: as Ray does."""
    folding = Folding()
    assert [folding.take(1, line("again"), 0.0) for _ in range(3)] == [[line("again")]] * 3
    assert folding.patience(1.0) is None
    assert (folding.due(WINDOW), folding.rest()) == ([], [])


def test_l5_what_several_processes_write_is_folded() -> None:
    """L5: the first at once, the others as one line with their number when the window closes; numbers do not count."""
    folding = Folding()
    assert folding.take(1, line("step 1 of x7"), 0.0) == [line("step 1 of x7")]
    for source in (2, 3, 1):
        assert folding.take(source, line(f"step {source} of x{source}", f"(C pid={source})"), 1.0) == []
    assert folding.patience(2.0) == WINDOW - 2.0
    assert folding.due(WINDOW - 0.1) == []
    (shown,) = folding.due(WINDOW)
    assert shown.prefix == "(C pid=1)"
    assert shown.text.startswith("step 1 of x1 [repeated 3x across cluster] (callboard folds lines that several")
    assert "CALLBOARD_DEDUP_LOGS=0" in shown.text


def test_l5_folding_goes_on() -> None:
    """L5: the next window counts anew, and the hint is given once."""
    folding = Folding()
    for source in (1, 2, 3):
        folding.take(source, line("same"), 0.0)
    folding.due(WINDOW)
    for source in (4, 5):
        assert folding.take(source, line("same"), WINDOW + 1) == []
    (again,) = folding.rest()
    assert again.text == "same [repeated 2x across cluster]"
    assert folding.rest() == []


def test_l5_a_single_repetition_is_shown_as_it_is() -> None:
    """L5: nothing is gained by counting to one."""
    folding = Folding()
    folding.take(1, line("same"), 0.0)
    assert folding.take(2, line("same", "(C pid=2)"), 0.0) == []
    assert folding.due(WINDOW) == [line("same", "(C pid=2)")]
    assert folding.take(3, line("same"), WINDOW) == [line("same")]


def test_l5_what_is_never_folded() -> None:
    """L5: lines of numbers only, and the same words on different streams."""
    folding = Folding()
    for source in (1, 2, 3):
        assert folding.take(source, line("42 0x1f"), 0.0) == [line("42 0x1f")]
    assert folding.take(1, line("same"), 0.0) == [line("same")]
    assert folding.take(2, line("same", stream="err"), 0.0) == [line("same", stream="err")]
