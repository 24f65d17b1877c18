"""Play an act: let callers call, let faults strike, and judge what was written down."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chaos.checker import judge
from chaos.history import Event, Kind, read
from chaos.theatre import Theatre

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaos.acts import Act
    from chaos.nemesis.fault import Fault

__all__ = ["Review", "play"]

_SECOND: Final = 1_000_000_000
#: Seconds by which a storm may last longer until each fault has struck.
_LONGER: Final = 60.0


@dataclass
class Review:
    """What came of an act.

    Attributes:
        act: Its name.
        figures: Numbers by what they count.
        struck: How often each fault has hit something.
        breaches: Promises that were not kept, things that are left, faults that hit nothing.
        history: Where the history is, if it was kept.
    """

    act: str
    figures: dict[str, float] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)
    history: Path | None = None


def play(act: Act, seed: int, seconds: float) -> Review:
    """Play an act for so many seconds, and judge it.

    The order of strikes, their victims and the pauses are those of the seed; how processes run beside each other is
    not. A history with breaches is kept.
    """
    review = Review(act.name)
    chance = random.Random(f"{seed} {act.name}")
    theatre = Theatre(act.setting, chance)
    try:
        with theatre:
            _storm(act, theatre, seconds, review)
            theatre.last_call()
            review.breaches += [f"left behind: {leak}" for leak in theatre.leaks()]
    except (TimeoutError, RuntimeError, AssertionError) as error:
        review.breaches.append(f"the act broke off: {error}")
    events = read(theatre.history)
    review.figures = _figures(events)
    review.breaches += judge(events, act.rules)
    review.breaches += [
        f"{fault.name} has hit {review.struck[fault.name]} times, which proves nothing"
        for fault in act.faults
        if review.struck[fault.name] < act.least
    ]
    if review.breaches:
        review.history = theatre.place
    else:
        theatre.forget()
    return review


def _storm(act: Act, theatre: Theatre, seconds: float, review: Review) -> None:
    never, ends = threading.Event(), time.monotonic() + seconds
    for fault in _in_turn(act.faults, theatre.chance):
        theatre.pen.write(Kind.FAULT, told=fault.name)
        with fault.strike(theatre) as hit:
            review.struck[fault.name] += hit
            never.wait(theatre.chance.uniform(*fault.lasts))
        theatre.pen.write(Kind.HEALED, told=fault.name)
        pause, left = theatre.chance.uniform(*act.pause), ends - time.monotonic()
        enough = all(review.struck[fault.name] >= act.least for fault in act.faults)
        never.wait(max(0.0, min(pause, left)) if enough else pause)
        if left < pause and (enough or left < -_LONGER):
            return


def _in_turn(faults: tuple[Fault, ...], chance: random.Random) -> Iterator[Fault]:
    """Give each fault once, in an order that chance decides, and so on."""
    while True:
        yield from chance.sample(faults, len(faults))


def _figures(events: list[Event]) -> dict[str, float]:
    """Count what happened; times are seconds."""
    kinds = Counter(event.kind for event in events)
    starts = Counter((event.caller, event.actor, event.call) for event in events if event.kind is Kind.START)
    made = {(event.caller, event.actor, event.call): event.at for event in events if event.kind is Kind.INVOKE}
    results = [event for event in events if event.kind is Kind.OK]
    waits = [event.at - made[event.caller, event.actor, event.call] for event in results]
    actors = {event.actor for event in events if event.kind is Kind.BORN}
    moments = [[event.at for event in results if event.actor == actor] for actor in actors]
    pauses = (later - before for one in moments for before, later in itertools.pairwise(one))
    return {
        "calls": kinds[Kind.INVOKE],
        "results": kinds[Kind.OK],
        "errors": kinds[Kind.FAIL],
        "restarts": kinds[Kind.BORN] - len(actors),
        "run again": sum(count > 1 for count in starts.values()),
        "longest wait": max(waits, default=0) / _SECOND,
        "longest outage": max(pauses, default=0) / _SECOND,
    }
