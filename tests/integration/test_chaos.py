"""I1 to I6, I8: a short chaos run of each kind; `make chaos` takes longer over it."""

import pytest
from chaos.acts import ACTS, Act
from chaos.play import play

#: Of strikes, victims and pauses; what happens beside each other still differs from run to run.
SEED = 20
#: Seconds of each storm; it goes on until each fault has struck.
SECONDS = 1.5
#: One of each kind; the others are like one of these, or take longer.
SHORT = ("workers", "adoption", "rollback", "connections")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("act", [act for act in ACTS if act.name in SHORT], ids=lambda act: act.name)
def test_callers_see_what_was_promised(act: Act) -> None:
    """Whatever strikes, the history that callers and actors wrote is as promised, and nothing is left."""
    review = play(act, SEED, SECONDS)
    assert review.breaches == [], f"the history is in {review.history}"
    assert review.figures["results"] > 0
